import * as z from 'zod';
import type { Failure, RightsReport } from '../../ports/directory.ts';
import { ask, READ_MS, RIGHTS_REMEDY, type ZitadelParts } from './client.ts';

const Permissions = z.object({ result: z.array(z.string()).default([]) });

/** Permissions as Zitadel's own roles are made of, and the least role that brings each along. */
export async function zitadelRights({ caller, config }: ZitadelParts): Promise<RightsReport | Failure> {
  const path = '/auth/v1/permissions/zitadel/me/_search';
  // Where the project is: what a member of that one alone holds is not shown elsewhere.
  const { organization } = config;
  const asked = await ask(caller, {
    method: 'POST',
    path,
    body: {},
    timeoutMs: READ_MS,
    ...(organization !== null && { headers: { 'x-zitadel-orgid': organization } }),
  });
  if (asked.outcome !== 'ok' && asked.outcome !== 'fault') return asked;
  const held = asked.outcome === 'ok' ? (Permissions.safeParse(asked.body).data?.result ?? []) : [];
  if (held.length === 0) return { outcome: 'rights', revives: true, missing: [], warnings: [UNCHECKED] };
  // Permissions of one project are written as `project.role.write:<id>`.
  const has = (permission: string): boolean =>
    held.some((each) => each === permission || each.startsWith(`${permission}:`));
  const missing = needed(config).filter((permission) => !has(permission));
  return {
    outcome: 'rights',
    // No id is held after a deletion.
    revives: true,
    missing: missing.map((right) => ({ right, remedy: RIGHTS_REMEDY })),
    warnings: [],
  };
}

const UNCHECKED = {
  problem: 'the rights of the token could not be read, so a missing one shows only when it is needed',
  remedy: 'compare them with those that docs/provisioning.md lists',
};

function needed({ tenancy, projectId }: ZitadelParts['config']): readonly string[] {
  return [
    'user.read',
    'user.write',
    'user.delete',
    ...(tenancy === 'organisations' ? ['org.create'] : []),
    ...(projectId === null ? [] : ['project.role.write', 'user.grant.write']),
  ];
}
