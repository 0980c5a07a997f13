import * as z from 'zod';
import { either, listed, paginated, type ZitadelReader } from './reader.ts';

/** Id of the account whose token is used; any valid token may ask. */
export async function ownUser(reader: ZitadelReader): Promise<string> {
  const shape = z.object({ user: z.object({ id: z.string() }) });
  const call = { method: 'GET', path: '/auth/v1/users/me', right: 'a valid token' } as const;
  return (await reader.call(shape, call)).user.id;
}

const User = z.object({
  userId: z.string(),
  state: z.string().default(''),
  username: z.string().default(''),
  preferredLoginName: z.string().default(''),
  details: z.object({ resourceOwner: z.string().default('') }).prefault({}),
  /** Absent of service accounts. */
  human: z.unknown().optional(),
  machine: z
    .object({
      name: z.string().default(''),
      description: z.string().default(''),
      accessTokenType: z.string().default('ACCESS_TOKEN_TYPE_BEARER'),
    })
    .optional(),
});

/** A person or a service account. */
export type ListedUser = z.infer<typeof User>;

function users(reader: ZitadelReader, queries: readonly object[]): Promise<readonly ListedUser[]> {
  return listed(reader, User, { path: '/v2/users', body: { queries }, right: 'user.read' });
}

/** Every service account. */
export function machines(reader: ZitadelReader): Promise<readonly ListedUser[]> {
  return users(reader, [{ typeQuery: { type: 'TYPE_MACHINE' } }]);
}

/** Service accounts and people of this username, whatever organisation they are in. */
export async function usersNamed(reader: ZitadelReader, userName: string): Promise<readonly ListedUser[]> {
  const method = 'TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE';
  const found = await users(reader, [{ userNameQuery: { userName, method } }]);
  return found.filter(({ username }) => username.toLowerCase() === userName.toLowerCase());
}

const IDS_TOGETHER = 100;

export async function usersOf(reader: ZitadelReader, ids: readonly string[]): Promise<readonly ListedUser[]> {
  const found: ListedUser[] = [];
  for (let at = 0; at < ids.length; at += IDS_TOGETHER)
    found.push(...(await users(reader, [{ inUserIdsQuery: { userIds: ids.slice(at, at + IDS_TOGETHER) } }])));
  return found;
}

/** What somebody can sign in by: `AUTHENTICATION_METHOD_TYPE_PASSWORD`. */
export async function methodsOf(reader: ZitadelReader, userId: string): Promise<readonly string[]> {
  const shape = z.object({ authMethodTypes: z.array(z.string()).default([]) });
  const path = `/v2/users/${encodeURIComponent(userId)}/authentication_methods`;
  return (await reader.call(shape, { method: 'GET', path, right: 'user.read' })).authMethodTypes;
}

const Member = z.object({
  userId: z.string(),
  roles: z.array(z.string()).default([]),
  preferredLoginName: z.string().default(''),
  userType: z.string().default(''),
  /** The organisation that the user is in; empty where the release does not say. */
  userResourceOwner: z.string().default(''),
});

export type Member = z.infer<typeof Member>;

/** Administrators of the instance. */
export function instanceMembers(reader: ZitadelReader): Promise<readonly Member[]> {
  return listed(reader, Member, { path: '/admin/v1/members/_search', right: 'iam.member.read' });
}

const Named = z.object({ id: z.string() });
const Administrator = z.object({
  user: Named,
  organization: Named.optional(),
  project: Named.optional(),
  projectGrant: Named.optional(),
  roles: z.array(z.string()).default([]),
});

export interface Rights {
  /** By user: roles, of the instance as they are, else with what they are of, as in `ORG_OWNER of organisation 42`. */
  readonly byUser: ReadonlyMap<string, readonly string[]>;
  /** False: this release lists those of the instance alone. */
  readonly complete: boolean;
}

/** Roles of administrators, of the instance and what is below it. */
export async function rightsByUser(reader: ZitadelReader): Promise<Rights> {
  const byUser = new Map<string, readonly string[]>();
  const add = (user: string, roles: readonly string[]): void => {
    byUser.set(user, [...(byUser.get(user) ?? []), ...roles]);
  };
  const path = '/zitadel.internal_permission.v2.InternalPermissionService/ListAdministrators';
  const [members, below] = await Promise.all([
    instanceMembers(reader),
    either(
      () => paginated(reader, Administrator, { path, member: 'administrators', right: 'org.member.read' }),
      () => Promise.resolve(undefined),
    ),
  ]);
  for (const { userId, roles } of members) add(userId, roles);
  for (const { user, roles, ...places } of below ?? []) {
    const what = placeOf(places);
    if (what === undefined) continue;
    add(
      user.id,
      roles.map((role) => `${role} of ${what}`),
    );
  }
  return { byUser, complete: below !== undefined };
}

/** Undefined: of the instance, whose members are listed apart. */
function placeOf({
  organization,
  project,
  projectGrant,
}: Pick<z.infer<typeof Administrator>, 'organization' | 'project' | 'projectGrant'>): string | undefined {
  if (projectGrant !== undefined) return `project grant ${projectGrant.id}`;
  if (project !== undefined) return `project ${project.id}`;
  return organization === undefined ? undefined : `organisation ${organization.id}`;
}
