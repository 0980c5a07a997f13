import * as z from 'zod';
import { OPERATIONS } from '../../../shared/configuration/operations.ts';
import { slice } from '../../../shared/configuration/slice.ts';
import type { Exchange } from '../../../shared/ports/runtime.ts';
import { exchange } from '../../deps.ts';
import { configured } from '../../variables.ts';

const CLIENT = slice({
  variables: { ZITADEL_CLIENT_ID: z.string().optional(), ZITADEL_CLIENT_SECRET: z.string().optional() },
  read: (v) => ({ id: v.ZITADEL_CLIENT_ID ?? null, secret: v.ZITADEL_CLIENT_SECRET ?? null }),
});

const Active = z.looseObject({ active: z.literal(true), jti: z.string().min(1) });
const TIMEOUT_MS = 10_000;

/**
 * Id of the token in ZITADEL_SERVICE_TOKEN, as introspection names it (RFC 7662 §2.2); null where no client may ask, or its answer
 * names none.
 */
export async function tokenInUse(send: Exchange = exchange): Promise<string | null> {
  const { zitadelUrl: url, zitadelToken: token } = configured(OPERATIONS);
  const client = configured(CLIENT);
  if (url === null || token === null || client.id === null || client.secret === null) return null;
  const credentials = [client.id, client.secret].map(encodeURIComponent).join(':');
  try {
    const { status, text } = await send({
      method: 'POST',
      url: `${url}/oauth/v2/introspect`,
      headers: {
        authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      body: new URLSearchParams({ token }).toString(),
      timeoutMs: TIMEOUT_MS,
    });
    return status === 200 ? (Active.safeParse(JSON.parse(text)).data?.jti ?? null) : null;
  } catch {
    // Then every token of the account counts as the one in use.
    return null;
  }
}
