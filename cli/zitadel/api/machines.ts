import * as z from 'zod';
import { either, listed, Nothing, orAbsent, type ZitadelClient } from './client.ts';

const Machine = z.object({
  userId: z.string(),
  state: z.string().default(''),
  username: z.string(),
  details: z.object({ resourceOwner: z.string() }),
  machine: z
    .object({
      name: z.string().default(''),
      description: z.string().default(''),
      accessTokenType: z.string().default('ACCESS_TOKEN_TYPE_BEARER'),
    })
    .optional(),
});

export type ListedUser = z.infer<typeof Machine>;

/** Every service account, or those of one organisation. */
export function machines(client: ZitadelClient, organization?: string): Promise<readonly ListedUser[]> {
  const queries = [
    { typeQuery: { type: 'TYPE_MACHINE' } },
    ...(organization === undefined ? [] : [{ organizationIdQuery: { organizationId: organization } }]),
  ];
  return listed(client, Machine, { path: '/v2/users', body: { queries }, right: 'user.read' });
}

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
  user: { readonly id: string; readonly organization: string },
  body: { readonly name: string; readonly description: string; readonly accessTokenType: string },
): Promise<void> {
  const path = `/management/v1/users/${encodeURIComponent(user.id)}/machine`;
  await client.call(Nothing, {
    method: 'PUT',
    path,
    organization: user.organization,
    body,
    right: 'user.write',
  });
}

/** A personal access token, never its text. */
export interface Pat {
  readonly id: string;
  readonly userId: string;
  /** RFC 3339; empty where the release does not say. */
  readonly created: string;
  readonly expires: string;
}

const Pats = z.object({
  pagination: z.object({ totalResult: z.string().default('0') }).default({ totalResult: '0' }),
  result: z
    .array(
      z.object({
        id: z.string(),
        userId: z.string().default(''),
        creationDate: z.string().default(''),
        expirationDate: z.string().default(''),
      }),
    )
    .default([]),
});

const OldPat = z.object({
  id: z.string(),
  expirationDate: z.string().default(''),
  details: z.object({ creationDate: z.string().default('') }).default({ creationDate: '' }),
});

/** Tokens of one service account. */
export async function patsOf(
  client: ZitadelClient,
  { id, organization }: { readonly id: string; readonly organization: string },
): Promise<readonly Pat[]> {
  return either(
    async () => {
      const all: Pat[] = [];
      for (;;) {
        const { result, pagination } = await client.call(Pats, {
          method: 'POST',
          path: '/v2/users/pats/search',
          body: {
            pagination: { offset: String(all.length), limit: 100 },
            filters: [{ userIdFilter: { id } }],
          },
          right: 'user.read',
        });
        for (const each of result)
          all.push({
            id: each.id,
            userId: each.userId,
            created: each.creationDate,
            expires: each.expirationDate,
          });
        if (result.length === 0 || all.length >= Number(pagination.totalResult)) return all;
      }
    },
    async () => {
      const path = `/management/v1/users/${encodeURIComponent(id)}/pats/_search`;
      const found = await listed(client, OldPat, { path, organization, right: 'user.read' });
      return found.map((each) => ({
        id: each.id,
        userId: id,
        created: each.details.creationDate,
        expires: each.expirationDate,
      }));
    },
  );
}

const NewPat = z.object({ tokenId: z.string(), token: z.string().min(1) });

/** Its text is in this answer alone. */
export async function createPat(
  client: ZitadelClient,
  { id, organization }: { readonly id: string; readonly organization: string },
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
  { id, organization }: { readonly id: string; readonly organization: string },
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

/** Service accounts and people of this username, whatever organisation they are in. */
export async function usersNamed(client: ZitadelClient, userName: string): Promise<readonly ListedUser[]> {
  const queries = [{ userNameQuery: { userName, method: 'TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE' } }];
  const found = await listed(client, Machine, { path: '/v2/users', body: { queries }, right: 'user.read' });
  return found.filter(({ username }) => username.toLowerCase() === userName.toLowerCase());
}

/** Id of the account whose token is used. */
export async function ownUser(client: ZitadelClient): Promise<string> {
  const shape = z.object({ user: z.object({ id: z.string() }) });
  const call = { method: 'GET', path: '/auth/v1/users/me', right: 'a valid token' } as const;
  return (await client.call(shape, call)).user.id;
}
