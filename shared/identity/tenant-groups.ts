import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { TenantRole } from '../ports/directory.ts';
import { uuidOf, uuidOfHex } from '../uuid.ts';

/** The seed's names of a tenant's groups, as far as a provider takes them. */
export function groupNameOf(slug: string, role: TenantRole): string {
  return `tenant_${slug}_${role === 'admin' ? 'admins' : 'users'}`;
}

/** Role of being in an organisation at all: no role key of Zitadel is empty. */
const BELONGS = '';

/** RFC 9562 §6.6: of names that are URLs, as issuers are. */
const NAMESPACE = Buffer.from('6ba7b8119dad11d180b400c04fd430c8', 'hex');

/** The uuid of a group that has none at the provider: version 5 (RFC 9562 §5.5) of issuer, organisation and role. */
export function groupUuid(issuer: string, organization: string, role: string = BELONGS): string {
  const name = JSON.stringify([issuer, organization, role]);
  const bytes = createHash('sha1').update(NAMESPACE).update(name).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return uuidOfHex(bytes.toString('hex'));
}

const KanidmClaims = z.looseObject({ groups: z.array(z.string()).catch([]) });

/** Group uuids in the claims of Kanidm's ID token or userinfo. Names in the same list are not unique over time, so they count for nothing. */
export function groupsOfKanidm(claims: unknown): readonly string[] {
  const { groups } = KanidmClaims.catch({ groups: [] }).parse(claims);
  return groups.flatMap((group) => uuidOf(group) ?? []);
}

const OWNER = 'urn:zitadel:iam:user:resourceowner:id';

const Granted = z.record(z.string(), z.record(z.string(), z.unknown()));

/**
 * Group uuids in the claims of Zitadel's ID token or userinfo: of the user's organisation, and of each role in each organisation
 * that granted it. Roles of other projects count for nothing. Needs the scopes of zitadelGroupScopes.
 */
export function groupsOfZitadel(
  { issuer, projectId }: { readonly issuer: string; readonly projectId: string | null },
  claims: unknown,
): readonly string[] {
  const all = z.looseObject({}).catch({}).parse(claims);
  const owner = z.string().min(1).safeParse(all[OWNER]).data;
  const roles = Granted.safeParse(all[`urn:zitadel:iam:org:project:${projectId ?? ''}:roles`]).data ?? {};
  const granted = Object.entries(roles).flatMap(([role, organizations]) =>
    Object.keys(organizations).map((organization) => groupUuid(issuer, organization, role)),
  );
  return owner === undefined ? granted : [groupUuid(issuer, owner), ...granted];
}

/** Scopes that put groups into Zitadel's claims, beside `openid`. `projectId`: where the roles are, if there are any. */
export function zitadelGroupScopes(projectId: string | null): readonly string[] {
  const owner = 'urn:zitadel:iam:user:resourceowner';
  if (projectId === null) return [owner];
  return [owner, 'urn:zitadel:iam:org:projects:roles', `urn:zitadel:iam:org:project:id:${projectId}:aud`];
}
