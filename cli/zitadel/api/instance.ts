import * as z from 'zod';
import { Nothing, type ZitadelClient } from './client.ts';

const Permissions = z.object({ result: z.array(z.string()).default([]) });

/** What the token's account may do; empty where the release does not say. */
export async function permissionsOf(client: ZitadelClient): Promise<readonly string[]> {
  const { result } = await client.call(Permissions, {
    method: 'POST',
    path: '/auth/v1/permissions/zitadel/me/_search',
    body: {},
    right: 'a valid token',
  });
  return result;
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
