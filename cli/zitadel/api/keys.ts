import * as z from 'zod';
import { either, listed, Nothing, orAbsent, type ZitadelClient } from './client.ts';

/** A service account's key, never its private part. */
export interface MachineKey {
  readonly id: string;
  /** RFC 3339; empty where the release does not say. */
  readonly created: string;
  readonly expires: string;
}

interface Account {
  readonly id: string;
  readonly organization: string;
}

const PAGE = 100;

const Keys = z.object({
  pagination: z.object({ totalResult: z.string().default('0') }).default({ totalResult: '0' }),
  result: z
    .array(
      z.object({
        id: z.string(),
        creationDate: z.string().default(''),
        expirationDate: z.string().default(''),
      }),
    )
    .default([]),
});

const OldKey = z.object({
  id: z.string(),
  expirationDate: z.string().default(''),
  details: z.object({ creationDate: z.string().default('') }).default({ creationDate: '' }),
});

/** Keys of one service account. */
export function keysOf(client: ZitadelClient, { id, organization }: Account): Promise<readonly MachineKey[]> {
  const right = 'user.read';
  return either(
    async () => {
      const all: MachineKey[] = [];
      for (;;) {
        const { result, pagination } = await client.call(Keys, {
          method: 'POST',
          path: '/v2/users/keys/search',
          body: {
            pagination: { offset: String(all.length), limit: PAGE },
            filters: [{ userIdFilter: { id } }],
          },
          right,
        });
        for (const each of result)
          all.push({ id: each.id, created: each.creationDate, expires: each.expirationDate });
        if (result.length === 0 || all.length >= Number(pagination.totalResult)) return all;
      }
    },
    async () => {
      const path = `/management/v1/users/${encodeURIComponent(id)}/keys/_search`;
      const found = await listed(client, OldKey, { path, organization, right });
      return found.map((each) => ({
        id: each.id,
        created: each.details.creationDate,
        expires: each.expirationDate,
      }));
    },
  );
}

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
