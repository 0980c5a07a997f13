import * as z from 'zod';
import { sql, type Database } from '../ports/database.ts';
import type { Directory, Group, TenantRole } from '../ports/directory.ts';
import { ProviderStopped } from './calls.ts';
import { lookAgain, someAtATime } from './look-again.ts';
import { noGroup, type GroupsOf } from './make.ts';
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
  readonly sleep: (ms: number) => Promise<void>;
}

/** Makes the groups of tenants where they are missing, and maps them. Again it changes nothing. Throws ProviderStopped. */
export async function syncGroups(
  tenant: string | null,
  dryRun: boolean,
  deps: GroupDeps,
): Promise<readonly SyncedGroup[]> {
  const synced: SyncedGroup[] = [];
  const wanted = rolesOfTenants(await tenantsOf(deps.database, tenant));
  const shown = dryRun ? await findGroups(wanted, deps) : null;
  for (const each of wanted) {
    const { tenant: of, role } = each;
    const found = shown?.get(each) ?? (await deps.directory.ensureGroup(of, role));
    synced.push(await toSynced(of, role, found, dryRun, deps));
  }
  return synced;
}

async function toSynced(
  tenant: TenantOfUsers,
  role: TenantRole,
  found: Found | Awaited<ReturnType<Directory['ensureGroup']>>,
  dryRun: boolean,
  { database, directory }: GroupDeps,
): Promise<SyncedGroup> {
  const named = { tenant, role, ...directory.groupName(tenant, role) };
  const failed = (reason: string): SyncedGroup => ({ ...named, group: 'failed', mapping: 'failed', reason });
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

interface Wanted {
  readonly tenant: TenantOfUsers;
  readonly role: TenantRole;
}

function rolesOfTenants(tenants: readonly TenantOfUsers[]): readonly Wanted[] {
  return tenants.flatMap((tenant) => ROLES.map((role) => ({ tenant, role })));
}

type Found = Awaited<ReturnType<Directory['findGroup']>>;

export interface GroupsSource {
  readonly database: Pick<Database, 'query'>;
  readonly directory: Pick<Directory, 'traits' | 'findGroup'>;
  /** Null: groups are looked for once. */
  readonly sleep: ((ms: number) => Promise<void>) | null;
}

const MappedRow = z.object({ id: z.string(), tenantId: z.string(), role: z.string() });

function mappedOf({ database }: Pick<GroupsSource, 'database'>, wanted: readonly Wanted[]) {
  const ids = [...new Set(wanted.map(({ tenant }) => tenant.id))];
  return database.query(
    sql`select kanidm_group_uuid as id, tenant_id as "tenantId", role from kanidm_tenant_groups where tenant_id = any(${ids}::uuid[])`,
    MappedRow,
  );
}

/** Groups as the provider shows them. One that is mapped and not there is looked for while its lists may lag behind. */
async function findGroups(
  wanted: readonly Wanted[],
  { database, directory, sleep }: GroupsSource,
): Promise<ReadonlyMap<Wanted, Found>> {
  const found = new Map<Wanted, Found>();
  const look = async (open: readonly Wanted[]): Promise<readonly Wanted[]> => {
    await someAtATime(open, async (each) => {
      found.set(each, await directory.findGroup(each.tenant, each.role));
    });
    return open.filter((each) => found.get(each)?.outcome === 'absent');
  };
  const absent = await look(wanted);
  if (absent.length === 0 || sleep === null) return found;
  const mapped = await mappedOf({ database }, absent);
  const made = absent.filter(({ tenant, role }) =>
    mapped.some((each) => each.tenantId === tenant.id && each.role === role),
  );
  await lookAgain(made, { directory, sleep }, look);
  return found;
}

/** Groups of active tenants, as far as they are at the provider and mapped. Throws ProviderStopped. */
export async function standingGroups(
  source: GroupsSource,
  tenantIds: ReadonlySet<string> | null = null,
): Promise<readonly TenantGroup[]> {
  const tenants = await tenantsOf(source.database, null);
  const wanted = rolesOfTenants(tenants.filter(({ id }) => tenantIds === null || tenantIds.has(id)));
  const found = await findGroups(wanted, source);
  const mapped = new Set((await mappedOf(source, wanted)).map(({ id }) => id));
  return [...found].flatMap(([{ tenant, role }, result]) => {
    if (result.outcome === 'absent') return [];
    if (result.outcome !== 'found') throw new ProviderStopped(source.directory.traits.provider, result);
    return mapped.has(result.group.id) ? [{ ...result.group, tenantId: tenant.id, role }] : [];
  });
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
