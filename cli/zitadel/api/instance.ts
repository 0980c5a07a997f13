import * as z from 'zod';
import { listed, Nothing, type ZitadelClient } from './client.ts';

const Instance = z.object({
  instance: z.object({
    id: z.string(),
    name: z.string().default(''),
    /** As the release calls itself; newer ones alone. */
    version: z.string().default(''),
    domains: z
      .array(
        z.object({
          domain: z.string(),
          primary: z.boolean().default(false),
          generated: z.boolean().default(false),
        }),
      )
      .default([]),
  }),
});

export type Instance = z.infer<typeof Instance>['instance'];

export async function instanceOf(client: ZitadelClient): Promise<Instance> {
  const { instance } = await client.call(Instance, {
    method: 'GET',
    path: '/admin/v1/instances/me',
    right: 'iam.read',
  });
  return instance;
}

const Permissions = z.object({ result: z.array(z.string()).default([]) });

/** What the token's account may do; empty where the release does not say. */
export async function permissionsOf(client: ZitadelClient): Promise<readonly string[]> {
  const { result } = await client.call(Permissions, {
    method: 'POST',
    path: '/auth/v1/permissions/zitadel/me/_search',
    body: {},
    right: 'a valid token',
    reads: true,
  });
  return result;
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
export function instanceMembers(client: ZitadelClient): Promise<readonly Member[]> {
  return listed(client, Member, { path: '/admin/v1/members/_search', right: 'iam.member.read' });
}

/** Gives exactly these roles of the instance. */
export async function setInstanceMember(
  client: ZitadelClient,
  userId: string,
  roles: readonly string[],
  isMember: boolean,
): Promise<void> {
  const right = 'iam.member.write';
  await client.call(
    Nothing,
    isMember
      ? { method: 'PUT', path: `/admin/v1/members/${encodeURIComponent(userId)}`, body: { roles }, right }
      : { method: 'POST', path: '/admin/v1/members', body: { userId, roles }, right },
  );
}
