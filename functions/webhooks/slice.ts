import * as z from 'zod';
import { slice, type Given } from '../../shared/configuration/slice.ts';
import { faultsIn, list, textSource, type TextSource } from '../../shared/configuration/values.ts';
import type { EdgeFunction } from '../../shared/edge/function.ts';
import { grantsFaults } from './apply/grants.ts';

export interface SignersConfig {
  readonly webhooks: { readonly signingKeys: readonly string[]; readonly sharedSecret: string | null };
}

const SIGNERS = slice({
  variables: {
    WEBHOOK_SIGNING_KEYS: list
      .pipe(z.array(z.string()).min(1, 'write at least one signing key, comma-separated'))
      .default([]),
    WEBHOOK_SHARED_SECRET: z.string().optional(),
  },
  read: (v): SignersConfig => ({
    webhooks: { signingKeys: v.WEBHOOK_SIGNING_KEYS, sharedSecret: v.WEBHOOK_SHARED_SECRET ?? null },
  }),
});

const GRANTS_FILE = 'config/default_grants.json';

/** What new users get. */
export const GRANTS = slice({
  variables: { DEFAULT_GRANTS: z.string().default(GRANTS_FILE) },
  texts: (given, files) =>
    grantsAreRead(given)
      ? faultsIn(
          'DEFAULT_GRANTS',
          textSource(given.written['DEFAULT_GRANTS'] ?? GRANTS_FILE),
          files,
          grantsFaults,
        )
      : [],
  read: (v): { readonly defaultGrants: TextSource } => ({ defaultGrants: textSource(v.DEFAULT_GRANTS) }),
});

/** A written text must be valid, used or not; the default file may be absent where webhooks are not configured. A Worker always has it. */
function grantsAreRead({ written, runtime }: Given): boolean {
  if (written['DEFAULT_GRANTS'] !== undefined || runtime === 'workers') return true;
  return written['DATABASE_URL'] !== undefined && written['ZITADEL_ISSUER_URL'] !== undefined;
}

export const WEBHOOKS = {
  name: 'webhooks',
  paths: ['/webhooks/zitadel', '/webhooks/user-created', '/webhooks/user-updated', '/webhooks/user-deleted'],
  schedule: {
    'webhooks-apply': '* * * * *',
    'webhooks-reconcile': '*/5 * * * *',
    'revocations-remark': '*/10 * * * *',
    'webhooks-prune': '30 3 * * *',
  },
  slice: SIGNERS.and(GRANTS),
} as const satisfies EdgeFunction;
