import * as z from 'zod';
import type { Account } from '../../../shared/zitadel/credentials.ts';
import { either, orAbsent } from '../../../shared/zitadel/reader.ts';
import { Nothing, type ZitadelClient } from './client.ts';

const NewKey = z.object({ keyId: z.string(), keyContent: z.string().min(1) });
const NewOldKey = z.object({ keyId: z.string(), keyDetails: z.string().min(1) });

/** Its JSON file is in this answer alone. */
export function createKey(
  client: ZitadelClient,
  { id, organization }: Account,
  expires: Date,
): Promise<{ readonly id: string; readonly json: string }> {
  const right = 'user.write';
  const user = encodeURIComponent(id);
  const expirationDate = expires.toISOString();
  return either(
    async () => {
      const call = {
        method: 'POST',
        path: `/v2/users/${user}/keys`,
        body: { expirationDate },
        right,
      } as const;
      const { keyId, keyContent } = await client.call(NewKey, call);
      return { id: keyId, json: decoded(keyContent) };
    },
    async () => {
      const path = `/management/v1/users/${user}/keys`;
      const body = { type: 'KEY_TYPE_JSON', expirationDate };
      const made = await client.call(NewOldKey, { method: 'POST', path, organization, body, right });
      return { id: made.keyId, json: decoded(made.keyDetails) };
    },
  );
}

function decoded(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}

/** A key that is gone already counts as removed. */
export async function removeKey(
  client: ZitadelClient,
  { id, organization }: Account,
  keyId: string,
): Promise<void> {
  const call = { method: 'DELETE', right: 'user.write' } as const;
  const rest = `${encodeURIComponent(id)}/keys/${encodeURIComponent(keyId)}`;
  await orAbsent(
    either(
      () => client.call(Nothing, { ...call, path: `/v2/users/${rest}` }),
      () => client.call(Nothing, { ...call, path: `/management/v1/users/${rest}`, organization }),
    ),
  );
}
