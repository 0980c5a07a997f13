import * as z from 'zod';
import { sql, type Database, type Sql } from '../ports/database.ts';
import { uuidOf } from '../uuid.ts';

export interface Tenant {
  readonly tenantId: string;
  readonly slug: string;
  readonly name: string;
}

/** A condition on a row `t` of tenants: its slug or id; null: any. */
export function isTenant(named: string | null): Sql {
  if (named === null) return sql`true`;
  return sql`(t.slug = ${named}::text or t.tenant_id = ${uuidOf(named)}::uuid)`;
}

const TenantRow = z.object({ tenantId: z.string(), slug: z.string(), name: z.string() });

/** An active tenant by slug or id. Throws as `Database`. */
export async function activeTenant(
  database: Pick<Database, 'query'>,
  named: string,
): Promise<Tenant | undefined> {
  const [tenant] = await database.query(
    sql`select t.tenant_id as "tenantId", t.slug, t.name from tenants t
        where ${isTenant(named)} and t.status = 'active' and t.deleted_at is null`,
    TenantRow,
  );
  return tenant;
}

/** The switch that stops mail, provisioning and deadlines: a row of sallyport_switches. */
export const MIGRATION_SWITCH = 'migration';

const PausedRow = z.object({ who: z.string(), since: z.date() });

/** Why nothing goes on while the migration is paused, for people; undefined while it is not. Throws as `Database`. */
export async function whyPaused(database: Pick<Database, 'query'>): Promise<string | undefined> {
  const [paused] = await database.query(
    sql`select who, since from sallyport_switches where name = ${MIGRATION_SWITCH}`,
    PausedRow,
  );
  if (paused === undefined) return undefined;
  return `the migration is paused since ${paused.since.toISOString()} by ${paused.who}: \`sallyport migration resume\` lets it go on`;
}

/** Throws as `Database`. */
export async function migrationPaused(database: Pick<Database, 'query'>): Promise<boolean> {
  return (await whyPaused(database)) !== undefined;
}

/** True where the deadline of a tenant has passed for its passwords; `tenantId`: an expression. Never while the migration is paused. */
export function deadlinePassed(tenantId: Sql): Sql {
  return sql`(exists (select from sallyport_tenants d where d.tenant_id = ${tenantId} and d.deadline <= now())
    and not exists (select from sallyport_switches where name = ${MIGRATION_SWITCH}))`;
}

/** The deadline of a tenant; `tenantId`: an expression. */
export function deadlineOf(tenantId: Sql): Sql {
  return sql`(select d.deadline from sallyport_tenants d where d.tenant_id = ${tenantId})`;
}
