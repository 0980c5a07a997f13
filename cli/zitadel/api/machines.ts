import * as z from 'zod';
import type { Account } from '../../../shared/zitadel/credentials.ts';
import { either, orAbsent } from '../../../shared/zitadel/reader.ts';
import { Nothing, unlessUnchanged, type ZitadelClient } from './client.ts';

export interface NewMachine {
  readonly userName: string;
  readonly name: string;
  readonly description: string;
}

export async function createMachine(
  client: ZitadelClient,
  organization: string,
  { userName, name, description }: NewMachine,
): Promise<string> {
  const right = 'user.write';
  return either(
    async () => {
      const body = { organizationId: organization, username: userName, machine: { name, description } };
      const call = { method: 'POST', path: '/v2/users/new', body, right } as const;
      return (await client.call(z.object({ id: z.string() }), call)).id;
    },
    async () => {
      const body = { userName, name, description, accessTokenType: 'ACCESS_TOKEN_TYPE_BEARER' };
      const call = {
        method: 'POST',
        path: '/management/v1/users/machine',
        organization,
        body,
        right,
      } as const;
      return (await client.call(z.object({ userId: z.string() }), call)).userId;
    },
  );
}

export async function updateMachine(
  client: ZitadelClient,
  user: Account,
  body: { readonly name: string; readonly description: string; readonly accessTokenType: string },
): Promise<void> {
  const path = `/management/v1/users/${encodeURIComponent(user.id)}/machine`;
  const { organization } = user;
  await unlessUnchanged(
    client.call(Nothing, { method: 'PUT', path, organization, body, right: 'user.write' }),
  );
}

const NewPat = z.object({ tokenId: z.string(), token: z.string().min(1) });

/** Its text is in this answer alone. */
export async function createPat(
  client: ZitadelClient,
  { id, organization }: Account,
  expires: Date,
): Promise<{ readonly tokenId: string; readonly token: string }> {
  const call = {
    method: 'POST',
    body: { expirationDate: expires.toISOString() },
    right: 'user.write',
  } as const;
  const user = encodeURIComponent(id);
  return either(
    () => client.call(NewPat, { ...call, path: `/v2/users/${user}/pats` }),
    () => client.call(NewPat, { ...call, path: `/management/v1/users/${user}/pats`, organization }),
  );
}

/** A token that is gone already counts as removed. */
export async function removePat(
  client: ZitadelClient,
  { id, organization }: Account,
  tokenId: string,
): Promise<void> {
  const call = { method: 'DELETE', right: 'user.write' } as const;
  const rest = `${encodeURIComponent(id)}/pats/${encodeURIComponent(tokenId)}`;
  await orAbsent(
    either(
      () => client.call(Nothing, { ...call, path: `/v2/users/${rest}` }),
      () => client.call(Nothing, { ...call, path: `/management/v1/users/${rest}`, organization }),
    ),
  );
}
