import * as z from 'zod';
import { either } from '../../../shared/zitadel/reader.ts';
import { Nothing, type ZitadelClient } from './client.ts';

const Permissions = z.object({ result: z.array(z.string()).default([]) });

/** What the token's account may do; empty where the release does not say. */
export function permissionsOf(client: ZitadelClient): Promise<readonly string[]> {
  const path = '/auth/v1/permissions/zitadel/me/_search';
  const call = { method: 'POST', path, body: {}, right: 'a valid token' } as const;
  return either(
    async () => (await client.call(Permissions, call)).result,
    () => Promise.resolve([]),
  );
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
