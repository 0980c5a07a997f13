import * as z from 'zod';
import { sql, type Database } from '../ports/database.ts';
import type { Directory, Group, TenantRole } from '../ports/directory.ts';
import { ProviderStopped } from './calls.ts';
import { allOf, noGroup, type GroupsOf } from './make.ts';
import { tenantsOf, type TenantOfUsers } from './people.ts';

export const ROLES: readonly TenantRole[] = ['member', 'admin'];

/** What `tenants sync` did with one group, or would do. */
export interface SyncedGroup {
  readonly tenant: TenantOfUsers;
  readonly role: TenantRole;
  readonly name: string;
  /** The provider cannot have the usual name. */
  readonly renamed: boolean;
  readonly group: 'created' | 'exists' | 'failed';
  readonly mapping: 'written' | 'exists' | 'failed';
  /** Why it failed. */
  readonly reason: string | null;
}

export interface GroupDeps {
  readonly database: Database;
  readonly directory: Pick<Directory, 'traits' | 'groupName' | 'findGroup' | 'ensureGroup'>;
}

/** Makes the groups of tenants where they are missing, and maps them. Again it changes nothing. Throws ProviderStopped. */
export async function syncGroups(
  tenant: string | null,
  dryRun: boolean,
  deps: GroupDeps,
): Promise<readonly SyncedGroup[]> {
  const synced: SyncedGroup[] = [];
  for (const each of await tenantsOf(deps.database, tenant))
    for (const role of ROLES) synced.push(await syncGroup(each, role, dryRun, deps));
  return synced;
}

async function syncGroup(
  tenant: TenantOfUsers,
  role: TenantRole,
  dryRun: boolean,
  { database, directory }: GroupDeps,
): Promise<SyncedGroup> {
  const named = { tenant, role, ...directory.groupName(tenant, role) };
  const failed = (reason: string): SyncedGroup => ({ ...named, group: 'failed', mapping: 'failed', reason });
  const found = dryRun ? await directory.findGroup(tenant, role) : await directory.ensureGroup(tenant, role);
  switch (found.outcome) {
    case 'absent':
      return { ...named, group: 'created', mapping: 'written', reason: null };
    case 'clash':
      return failed('another account or group has its name');
    case 'refused':
    case 'failed':
      return failed(found.reason);
    case 'found':
    case 'exists':
    case 'created': {
      const group = found.outcome === 'created' ? 'created' : 'exists';
      const mapping = await map(database, tenant, role, found.group, dryRun);
      if (mapping === 'taken') return failed('another tenant is mapped to this group');
      return { ...named, group, mapping, reason: null };
    }
    default:
      throw new ProviderStopped(directory.traits.provider, found);
  }
}

const MappingRow = z.object({ mine: z.boolean(), same: z.boolean() });

/** A group belongs to one tenant: by its uuid people get their tenant. */
async function map(
  database: Pick<Database, 'query' | 'execute'>,
  tenant: TenantOfUsers,
  role: TenantRole,
  { id, name }: Group,
  dryRun: boolean,
): Promise<'written' | 'exists' | 'taken'> {
  const rows = await database.query(
    sql`select tenant_id = ${tenant.id}::uuid as mine, role = ${role} and kanidm_group_name = ${name} as same
        from kanidm_tenant_groups where kanidm_group_uuid = ${id}::uuid`,
    MappingRow,
  );
  if (rows.some(({ mine }) => !mine)) return 'taken';
  if (rows.some(({ same }) => same)) return 'exists';
  if (!dryRun)
    await database.execute(sql`
      insert into kanidm_tenant_groups (tenant_id, kanidm_group_uuid, kanidm_group_name, role)
      values (${tenant.id}::uuid, ${id}::uuid, ${name}, ${role})
      on conflict (tenant_id, kanidm_group_uuid) do update set kanidm_group_name = excluded.kanidm_group_name, role = excluded.role`);
  return 'written';
}

/** A tenant's group, at the provider and mapped. */
export interface TenantGroup extends Group {
  readonly tenantId: string;
  readonly role: TenantRole;
}

const MappedRow = z.object({ id: z.string() });
const AT_A_TIME = 4;

/** Groups of active tenants, as far as they are at the provider and mapped. Throws ProviderStopped. */
export async function standingGroups(
  { database, directory }: GroupsSource,
  tenantIds: ReadonlySet<string> | null = null,
): Promise<readonly TenantGroup[]> {
  const tenants = await tenantsOf(database, null);
  const wanted = tenants.filter(({ id }) => tenantIds === null || tenantIds.has(id));
  const mapped = await database.query(
    sql`select kanidm_group_uuid as id from kanidm_tenant_groups where tenant_id = any(${wanted.map(({ id }) => id)}::uuid[])`,
    MappedRow,
  );
  const known = new Set(mapped.map(({ id }) => id));
  const groups: TenantGroup[] = [];
  for (let at = 0; at < wanted.length; at += AT_A_TIME) {
    const some = wanted
      .slice(at, at + AT_A_TIME)
      .flatMap((tenant) => ROLES.map((role) => ({ tenant, role })));
    const found = await allOf(some.map(async ({ tenant, role }) => findGroup(tenant, role, directory)));
    groups.push(...found.flatMap((group) => (group !== undefined && known.has(group.id) ? [group] : [])));
  }
  return groups;
}

export interface GroupsSource {
  readonly database: Pick<Database, 'query'>;
  readonly directory: Pick<Directory, 'traits' | 'findGroup'>;
}

async function findGroup(
  tenant: TenantOfUsers,
  role: TenantRole,
  directory: GroupsSource['directory'],
): Promise<TenantGroup | undefined> {
  const found = await directory.findGroup(tenant, role);
  if (found.outcome === 'absent') return undefined;
  if (found.outcome !== 'found') throw new ProviderStopped(directory.traits.provider, found);
  return { ...found.group, tenantId: tenant.id, role };
}

/** Both groups of each of these tenants. Throws ProvisioningRefused where one does not stand, ProviderStopped. */
export async function groupsThatStand(
  tenantIds: ReadonlySet<string>,
  source: GroupsSource,
): Promise<GroupsOf> {
  const groups = await standingGroups(source, tenantIds);
  const tenants = await tenantsOf(source.database, null);
  const of = (tenantId: string, role: TenantRole): Group => {
    const group = groups.find((each) => each.tenantId === tenantId && each.role === role);
    if (group === undefined)
      throw noGroup(`tenant ${tenants.find(({ id }) => id === tenantId)?.slug ?? tenantId}`);
    return group;
  };
  return new Map([...tenantIds].map((id) => [id, { member: of(id, 'member'), admin: of(id, 'admin') }]));
}
