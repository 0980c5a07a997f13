import { userOf } from './machine-routes.ts';
import type { Settings } from './settings.ts';

/** Of IAM_OWNER_VIEWER, as far as they are asked for. */
const READS = [
  ...['iam.read', 'iam.policy.read', 'iam.member.read', 'iam.idp.read', 'events.read'],
  ...['org.read', 'user.read', 'project.read', 'user.grant.read'],
];
/** What IAM_OWNER has beside. */
const WRITES = [
  ...['iam.write', 'iam.policy.write', 'iam.member.write', 'iam.idp.write', 'org.create', 'org.write'],
  ...['user.write', 'user.delete', 'project.create', 'project.write', 'project.role.write'],
  ...['user.grant.write', 'user.grant.delete'],
];

function isOwner(settings: Settings, authorization: string | undefined): boolean {
  const id = userOf(settings.now.pats, authorization);
  return settings.now.members.some(({ userId, roles }) => userId === id && roles.includes('IAM_OWNER'));
}

export function permissionsOf(settings: Settings, authorization: string | undefined): readonly string[] {
  return isOwner(settings, authorization) ? [...READS, ...WRITES] : READS;
}

/** Whoever is no IAM_OWNER reads alone here. */
export function mayWrite(settings: Settings, authorization: string | undefined): boolean {
  return isOwner(settings, authorization);
}
