import * as z from 'zod';
import { auditInsert } from '../../shared/people/audit.ts';
import { isTenant } from '../../shared/people/tenants.ts';
import { hasPasswords } from '../../shared/people/users.ts';
import { sql } from '../../shared/ports/database.ts';
import { syncGroups, type SyncedGroup } from '../../shared/provisioning/groups.ts';
import { assertNotPaused } from '../../shared/provisioning/run.ts';
import { Failure } from '../failure.ts';
import { assertTenant, operator, withDatabase, withPeople } from '../people/ground.ts';
import { colors, print, printJson } from '../terminal.ts';

export interface ListCommand {
  readonly json?: boolean;
}

export interface SyncCommand extends ListCommand {
  readonly tenant?: string;
  readonly dryRun?: boolean;
}

export interface ConfirmCommand extends ListCommand {
  readonly by?: string;
  readonly dryRun?: boolean;
}

const TenantRow = z.object({
  tenant_id: z.string(),
  slug: z.string(),
  name: z.string(),
  status: z.string(),
  users: z.number(),
  provisioned: z.number(),
  completed: z.number(),
  excluded: z.number(),
  groups: z.number(),
  deadline: z.date().nullable(),
  confirmed_at: z.date().nullable(),
  confirmed_by: z.string().nullable(),
});
type TenantRow = z.output<typeof TenantRow>;

/** Prints tenants that are not deleted, by slug. */
export async function runList({ json }: ListCommand): Promise<void> {
  const tenants = await withDatabase(async ({ database }) => {
    // The clean-up drops the column once every active user has completed or is excluded.
    const completed = (await hasPasswords(database)) ? sql`u.migration_completed_at is not null` : sql`true`;
    return database.query(
      sql`select t.tenant_id, t.slug, t.name, t.status, coalesce(c.users, 0) as users,
            coalesce(c.provisioned, 0) as provisioned, coalesce(c.completed, 0) as completed, coalesce(c.excluded, 0) as excluded,
            (select count(*)::int from kanidm_tenant_groups g where g.tenant_id = t.tenant_id) as groups,
            d.deadline, d.confirmed_at, d.confirmed_by
          from tenants t left join sallyport_tenants d on d.tenant_id = t.tenant_id
            left join (
              select u.tenant_id, count(*)::int as users,
                (count(*) filter (where u.kanidm_user_id is not null or l.user_id is not null))::int as provisioned,
                (count(*) filter (where ${completed}))::int as completed,
                (count(*) filter (where p.excluded_at is not null))::int as excluded
              from users u left join sallyport_people p on p.user_id = u.user_id
                left join (select distinct user_id from sallyport_links) l on l.user_id = u.user_id
              where u.deleted_at is null group by u.tenant_id) c on c.tenant_id = t.tenant_id
          where t.deleted_at is null order by t.slug`,
      TenantRow,
    );
  });
  if (json === true) printJson(tenants);
  else if (tenants.length === 0) print('no tenants');
  else for (const tenant of tenants) print(lineOf(tenant));
}

function lineOf({
  slug,
  status,
  users,
  provisioned,
  completed,
  groups,
  deadline,
  confirmed_at,
}: TenantRow): string {
  const state = status === 'active' ? '' : ` ${colors.yellow(status)}`;
  const until = deadline === null ? '' : `, deadline ${deadline.toISOString()}`;
  const done = confirmed_at === null ? '' : `, confirmed ${confirmed_at.toISOString()}`;
  return `${slug}${state}: ${users} users, ${provisioned} provisioned, ${completed} completed, ${groups} groups mapped${until}${done}`;
}

/** Makes groups and their mapping, or prints what that would do. */
export async function runSync({ dryRun = false, json, ...options }: SyncCommand): Promise<void> {
  const tenant = options.tenant ?? null;
  const groups = await withPeople({ label: 'syncing' }, async (deps) => {
    await assertTenant(deps.database, tenant);
    if (!dryRun) await assertNotPaused(deps.database);
    return syncGroups(tenant, dryRun, deps);
  });
  const count = (of: (group: SyncedGroup) => boolean): number => groups.filter(of).length;
  const counts = {
    created: count(({ group }) => group === 'created'),
    mapped: count(({ mapping }) => mapping === 'written'),
    unchanged: count(({ group, mapping }) => group === 'exists' && mapping === 'exists'),
    failed: count(({ group }) => group === 'failed'),
  };
  const renamed = groups
    .filter((group) => group.renamed)
    .map(({ tenant: { slug }, role, name }) => ({ tenant: slug, role, group: name }));
  if (json === true) {
    const failures = groups.flatMap(({ tenant: { slug }, role, name, reason }) =>
      reason === null ? [] : [{ tenant: slug, role, group: name, reason }],
    );
    printJson({ dry_run: dryRun, ...counts, renamed, failures });
  } else {
    const would = dryRun ? 'would be ' : '';
    print(
      `groups ${would}created ${counts.created}, ${would}mapped ${counts.mapped}, unchanged ${counts.unchanged}, failed ${counts.failed}`,
    );
    for (const { tenant: slug, role, group } of renamed)
      print(`  ${slug}: the provider cannot have the usual name for role ${role}, so it is ${group}`);
    for (const {
      tenant: { slug },
      name,
      reason,
    } of groups)
      if (reason !== null) print(`  ${slug}: ${name} failed: ${reason}`);
    if (dryRun) print('nothing was changed');
  }
  if (counts.failed > 0) throw new Failure('');
}

const ConfirmedRow = z.object({ slug: z.string(), at: z.date().nullable() });

/** Notes that a tenant has confirmed. */
export async function runConfirm(
  slug: string,
  { by = operator(), dryRun = false, json }: ConfirmCommand,
): Promise<void> {
  const confirmed = await withDatabase(async ({ database }) => {
    await assertTenant(database, slug);
    const entry = { who: operator(), what: 'confirmed', from: 'cli', detail: { tenant: slug, by } } as const;
    const [row] = await database.query(
      dryRun
        ? sql`select t.slug, now() as at from tenants t where ${isTenant(slug)} and t.deleted_at is null`
        : sql`with noted as (
              insert into sallyport_tenants as d (tenant_id, confirmed_at, confirmed_by)
              select t.tenant_id, now(), ${by}::text from tenants t where ${isTenant(slug)} and t.deleted_at is null
              on conflict (tenant_id) do update set confirmed_at = excluded.confirmed_at, confirmed_by = excluded.confirmed_by
              returning tenant_id, confirmed_at),
            recorded as (${auditInsert(entry, sql`noted`)})
            select t.slug, n.confirmed_at as at from noted n join tenants t on t.tenant_id = n.tenant_id`,
      ConfirmedRow,
    );
    if (row === undefined) throw new Failure(`tenant ${slug} is deleted`);
    return row;
  });
  if (json === true)
    printJson({ tenant: confirmed.slug, confirmed_by: by, confirmed_at: confirmed.at, dry_run: dryRun });
  else
    print(
      `${confirmed.slug} ${dryRun ? 'would be confirmed' : 'is confirmed'} by ${by}${dryRun ? ', nothing was changed' : ''}`,
    );
}
