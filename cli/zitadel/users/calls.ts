import * as z from 'zod';
import { either, listed, orAbsent } from '../../../shared/zitadel/reader.ts';
import { Nothing, type ZitadelClient } from '../api/client.ts';
import { Failure } from '../../failure.ts';

const User = z.object({
  userId: z.string(),
  username: z.string(),
  loginNames: z.array(z.string()).default([]),
  preferredLoginName: z.string().default(''),
  details: z.object({ resourceOwner: z.string() }),
  human: z
    .object({
      email: z.object({ email: z.string().default(''), isVerified: z.boolean().default(false) }).prefault({}),
    })
    .optional(),
});

export type User = z.infer<typeof User>;

const RIGHT = 'user.read';
const IGNORE_CASE = 'TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE';

export function usersByLoginName(client: ZitadelClient, loginName: string): Promise<readonly User[]> {
  return search(client, { loginNameQuery: { loginName, method: IGNORE_CASE } });
}

export function usersByEmail(client: ZitadelClient, emailAddress: string): Promise<readonly User[]> {
  return search(client, { emailQuery: { emailAddress, method: IGNORE_CASE } });
}

function search(client: ZitadelClient, query: object): Promise<readonly User[]> {
  return listed(client, User, { path: '/v2/users', body: { queries: [query] }, right: RIGHT });
}

export async function userById(client: ZitadelClient, id: string): Promise<User | undefined> {
  const path = `/v2/users/${encodeURIComponent(id)}`;
  const found = await orAbsent(client.call(z.object({ user: User }), { method: 'GET', path, right: RIGHT }));
  return found?.user;
}

/** By id, login name, username or e-mail; undefined when there is none. Throws Failure when there are several. */
export async function userNamed(client: ZitadelClient, wanted: string): Promise<User | undefined> {
  const byId = /[@\s/]/.test(wanted) ? undefined : await userById(client, wanted);
  if (byId !== undefined) return byId;
  const byUserName = { userNameQuery: { userName: wanted, method: IGNORE_CASE } };
  const looks = [
    () => usersByLoginName(client, wanted),
    () => search(client, byUserName),
    () => usersByEmail(client, wanted),
  ];
  for (const look of looks) {
    const [user, ...others] = await look();
    if (user === undefined) continue;
    if (others.length === 0) return user;
    const ids = [user, ...others].map(({ userId }) => userId).join(', ');
    throw new Failure(`several users have ${wanted}: name one by its id, ${ids}. Nothing was changed`);
  }
  return undefined;
}

export interface NewName {
  readonly username: string;
  readonly email?: { readonly address: string; readonly verified: boolean } | undefined;
}

/** Name and e-mail in one call, so that both are changed or none. */
export async function rename(client: ZitadelClient, user: User, { username, email }: NewName): Promise<void> {
  const path = `/v2/users/${encodeURIComponent(user.userId)}`;
  const mail = email && {
    email: { email: email.address, ...(email.verified ? { isVerified: true } : { sendCode: {} }) },
  };
  // Without the kind of user beside it, a name alone is answered by 501.
  const kind = user.human === undefined ? { machine: {} } : { human: { ...mail } };
  const name = username === user.username ? {} : { username };
  const right = 'user.write';
  const organization = user.details.resourceOwner;
  await either(
    () => client.call(Nothing, { method: 'PATCH', path, body: { ...name, ...kind }, right }),
    () =>
      user.human === undefined
        ? client.call(Nothing, {
            method: 'PUT',
            path: `/management/v1/users/${encodeURIComponent(user.userId)}/username`,
            body: { userName: username },
            organization,
            right,
          })
        : client.call(Nothing, {
            method: 'PUT',
            path: `/v2/users/human/${encodeURIComponent(user.userId)}`,
            body: { ...name, ...mail },
            right,
          }),
  );
}

const Events = z.object({
  events: z
    .array(
      z.object({
        sequence: z.string(),
        creationDate: z.string(),
        type: z.object({ type: z.string() }),
        editor: z.object({ userId: z.string().default('') }).prefault({}),
        payload: z
          .looseObject({ userName: z.string().optional(), email: z.string().optional() })
          .prefault({}),
      }),
    )
    .default([]),
});

/** What proves a change of a name. */
export interface NameEvent {
  readonly sequence: number;
  readonly type: string;
  readonly at: string;
  readonly editor: string;
  readonly user_name?: string;
  readonly email?: string;
}

const LOOKED_AT = 100;

/** Events of a user with a higher sequence, oldest first; payloads without all but names, as some hold hashes. */
export async function eventsAfter(
  client: ZitadelClient,
  id: string,
  sequence: number,
): Promise<readonly NameEvent[]> {
  const { events } = await client.call(Events, {
    method: 'POST',
    path: '/admin/v1/events/_search',
    body: { limit: LOOKED_AT, aggregateTypes: ['user'], aggregateId: id },
    right: 'events.read',
  });
  return events
    .map(({ sequence: of, creationDate: at, type, editor, payload }) => ({
      sequence: Number(of),
      type: type.type,
      at,
      editor: editor.userId,
      ...(payload.userName !== undefined && { user_name: payload.userName }),
      ...(payload.email !== undefined && { email: payload.email }),
    }))
    .filter((event) => event.sequence > sequence)
    .sort((one, other) => one.sequence - other.sequence);
}
