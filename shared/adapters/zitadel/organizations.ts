import * as z from 'zod';
import { groupNameOf, groupUuid } from '../../identity/tenant-groups.ts';
import type { Directory, DirectoryTenant, Failure, Group, TenantRole } from '../../ports/directory.ts';
import { ask, asFailure, connect, READ_MS, WRITE_MS, type ZitadelParts } from './client.ts';
import { isNameTaken } from './create.ts';
import { refusalOf } from './faults.ts';
import { changeRole } from './roles.ts';

type Groups = Pick<Directory, 'groupName' | 'findGroup' | 'ensureGroup' | 'addMembers' | 'removeMembers'>;
type Ensured = Awaited<ReturnType<Directory['ensureGroup']>>;
type Found = { readonly outcome: 'found'; readonly group: Group } | { readonly outcome: 'absent' } | Failure;

/** Where Zitadel keeps a tenant's role. `database`: nowhere, so that users.role alone decides. */
type Place =
  | { readonly kind: 'organization' }
  | { readonly kind: 'role'; readonly organization: string; readonly projectId: string }
  | { readonly kind: 'database' };

export function zitadelGroups(parts: ZitadelParts): Groups {
  const { tenancy, organization, projectId, issuer } = parts.config;
  const placeOf = (role: TenantRole): Place => {
    if (tenancy === 'organisations' && role === 'member') return { kind: 'organization' };
    if (organization === null || projectId === null) return { kind: 'database' };
    return { kind: 'role', organization, projectId };
  };
  const groupOf = ({ id, slug }: DirectoryTenant, role: TenantRole): Group => {
    const place = placeOf(role);
    const name = groupNameOf(slug, role);
    if (place.kind === 'organization') return { id: groupUuid(issuer, id), name };
    if (place.kind === 'database') return { id: groupUuid(issuer, id, name), name, virtual: true };
    return { id: groupUuid(issuer, place.organization, name), name };
  };
  /** Being in an organisation is settled where a person is made. */
  const isRole = ({ name }: Group): boolean =>
    placeOf(name.endsWith('_admins') ? 'admin' : 'member').kind === 'role';
  return {
    groupName: ({ slug }, role) => ({ name: groupNameOf(slug, role), renamed: false }),
    async findGroup(tenant, role) {
      const place = placeOf(role);
      const group = groupOf(tenant, role);
      if (place.kind === 'database') return { outcome: 'found', group };
      return place.kind === 'role'
        ? findRole(parts, group, place.projectId)
        : findOrganization(parts, tenant, group);
    },
    async ensureGroup(tenant, role) {
      const place = placeOf(role);
      const group = groupOf(tenant, role);
      if (place.kind === 'database') return { outcome: 'exists', group };
      return place.kind === 'role'
        ? ensureRole(parts, group, place.projectId)
        : ensureOrganization(parts, tenant, group);
    },
    async addMembers(group, ids) {
      return isRole(group) ? changeRole(parts, ids, group.name, true) : NOTHING;
    },
    async removeMembers(group, ids) {
      return isRole(group) ? changeRole(parts, ids, group.name, false) : NOTHING;
    },
  };
}

const NOTHING = { outcome: 'done', absent: [] } as const;

const Organizations = z.object({ result: z.array(z.looseObject({ id: z.string() })).default([]) });

async function findOrganization(
  { caller }: ZitadelParts,
  { id }: DirectoryTenant,
  group: Group,
): Promise<Found> {
  const body = { queries: [{ idQuery: { id } }] };
  const asked = await ask(caller, {
    method: 'POST',
    path: '/v2/organizations/_search',
    body,
    timeoutMs: READ_MS,
  });
  if (asked.outcome !== 'ok') return asFailure(asked);
  const there = Organizations.safeParse(asked.body).data?.result.some((each) => each.id === id) === true;
  return there ? { outcome: 'found', group } : { outcome: 'absent' };
}

const ORGANIZATION_THERE = 'ORG-laho2n';

const LONGEST_NAME = 200;

/**
 * Names to try, in turn: that of the tenant, with its slug beside it where another organisation has it, and the tenant's id where
 * neither will do. Zitadel makes a domain of the name, so that two names may differ and be taken all the same, and one without
 * letters of ASCII may be refused.
 */
function namesOf({ id, slug, name }: DirectoryTenant): readonly string[] {
  const plain = Array.from(name.trim()).slice(0, LONGEST_NAME).join('');
  const beside = Array.from(name.trim()).slice(0, LONGEST_NAME - Array.from(slug).length - 3);
  return [...(plain === '' ? [slug] : [plain, `${beside.join('')} (${slug})`]), `tenant ${id}`];
}

async function ensureOrganization(
  { caller }: ZitadelParts,
  tenant: DirectoryTenant,
  group: Group,
): Promise<Ensured> {
  let result: Ensured = { outcome: 'clash', fields: ['name'] };
  for (const name of namesOf(tenant)) {
    const asked = await ask(caller, {
      method: 'POST',
      path: '/v2/organizations',
      body: { name, organizationId: tenant.id },
      timeoutMs: WRITE_MS,
    });
    if (asked.outcome === 'ok') return { outcome: 'created', group };
    if (asked.outcome !== 'fault') return asked;
    if (asked.id === ORGANIZATION_THERE) return { outcome: 'exists', group };
    if (asked.status !== 400 && !isNameTaken(asked)) return asFailure(asked);
    if (asked.status === 400) result = refusalOf(asked) ?? asFailure(asked);
  }
  return result;
}

const Roles = z.object({ projectRoles: z.array(z.looseObject({ key: z.string() })).default([]) });

async function findRole({ caller }: ZitadelParts, group: Group, projectId: string): Promise<Found> {
  const filters = [{ roleKeyFilter: { key: group.name, method: 'TEXT_FILTER_METHOD_EQUALS' } }];
  const method = 'project.v2.ProjectService/ListProjectRoles' as const;
  const asked = await connect(caller, method, { projectId, filters }, READ_MS);
  if (asked.outcome !== 'ok') return asFailure(asked);
  const roles = Roles.safeParse(asked.body).data?.projectRoles ?? [];
  return roles.some(({ key }) => key === group.name) ? { outcome: 'found', group } : { outcome: 'absent' };
}

async function ensureRole({ caller }: ZitadelParts, group: Group, projectId: string): Promise<Ensured> {
  const body = { projectId, roleKey: group.name, displayName: group.name };
  const asked = await connect(caller, 'project.v2.ProjectService/AddProjectRole', body, WRITE_MS);
  if (asked.outcome === 'ok') return { outcome: 'created', group };
  if (asked.outcome !== 'fault') return asked;
  return asked.status === 409 ? { outcome: 'exists', group } : (refusalOf(asked) ?? asFailure(asked));
}
