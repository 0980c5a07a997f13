import * as z from 'zod';
import { sql, type Database, type Sql } from '../ports/database.ts';
import { NIL, scopeId, type Scope } from './scope.ts';

/** Readers need no more of it. */
export type Reads = Pick<Database, 'query'>;

/** Figures, and the time at which they were true; null before they have been counted for the first time. */
export interface Values<T> {
  readonly as_of: string | null;
  readonly values: T;
}

export interface Rows<T> {
  readonly as_of: string | null;
  readonly rows: readonly T[];
}

/** One page of rows. `next`: the cursor of the following one; null on the last. */
export interface Page<T> extends Rows<T> {
  readonly next: string | null;
}

/** A time out of JSON of Postgres, as ISO 8601 in UTC; infinity as it is. */
export const time = z.string().transform((text) => {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? text : new Date(ms).toISOString();
});

const count = z.number();
const Overall = z.object({
  /** Users that are not deleted, by their method of sign-in. */
  total_users: count,
  kanidm_only: count,
  dual_auth: count,
  password_only: count,
  /** Share of kanidm_only and dual_auth, with two decimals; null without users. */
  migration_percent: z.number().nullable(),
  /** With an account at the provider; invited; with a first sign-in by OAuth2: each whatever else applies. */
  provisioned: count,
  invited: count,
  completed: count,
  /** No sign-in for 180 days. */
  dormant: count,
  excluded: count,
  /** No mail reaches them. */
  unreachable: count,
  /** Of status active; of these who have completed or are excluded. */
  active: count,
  settled: count,
});
export type Overall = z.output<typeof Overall>;

/** One statement, so that figures and their time belong together. `rows`: a query. */
export async function readRows<T>(database: Reads, rows: Sql, row: z.ZodType<T>): Promise<Rows<T>> {
  const [found] = await database.query(
    sql`select s.as_of, (select coalesce(jsonb_agg(to_jsonb(r)), '[]') from (${rows}) r) as rows from sallyport_figures_state s`,
    z.object({ as_of: z.date().nullable(), rows: z.array(row) }),
  );
  return { as_of: found?.as_of?.toISOString() ?? null, rows: found?.rows ?? [] };
}

const percent = (part: Sql, whole: Sql): Sql => sql`round(100.0 * (${part}) / nullif(${whole}, 0), 2)`;

const NOBODY: Overall = {
  ...{ total_users: 0, kanidm_only: 0, dual_auth: 0, password_only: 0, migration_percent: null },
  ...{
    provisioned: 0,
    invited: 0,
    completed: 0,
    dormant: 0,
    excluded: 0,
    unreachable: 0,
    active: 0,
    settled: 0,
  },
};

/** How many people stand where. Throws as `Database`, as all readers do. */
export async function readOverall(database: Reads, scope: Scope): Promise<Values<Overall>> {
  const { as_of, rows } = await readRows(
    database,
    sql`select total as total_users, kanidm as kanidm_only, dual as dual_auth, password as password_only,
          ${percent(sql`kanidm + dual`, sql`total`)} as migration_percent,
          provisioned, invited, completed, dormant, excluded, unreachable, active, settled
        from sallyport_figures_totals where scope = ${scopeId(scope)}::uuid`,
    Overall,
  );
  return { as_of, values: rows[0] ?? NOBODY };
}

const TenantFigures = z.object({
  tenant_name: z.string(),
  password_users: count,
  kanidm_users: count,
  dual_users: count,
  migration_percent: z.number(),
  slug: z.string(),
  /** When its passwords end; who of the tenant said that it is done, and when. */
  deadline: time.nullable(),
  confirmed: time.nullable(),
  total_users: count,
  completed: count,
  excluded: count,
  active: count,
  settled: count,
  tenant_id: z.string(),
});
export type TenantFigures = z.output<typeof TenantFigures>;

export interface PageOptions {
  /** Rows at most. */
  readonly limit: number;
  /** `next` of the page before; absent: from the start. */
  readonly cursor?: string | undefined;
}

/** Tenants that have users, the furthest first. Throws InvalidCursor. */
export async function readTenants(
  database: Reads,
  scope: Scope,
  { limit, cursor }: PageOptions,
): Promise<Page<TenantFigures>> {
  const after = cursor === undefined ? undefined : parsedCursor(cursor, TenantCursor);
  const { as_of, rows } = await readRows(
    database,
    sql`select f.*, d.deadline, d.confirmed_at as confirmed from (
          select name as tenant_name, password as password_users, kanidm as kanidm_users, dual as dual_users,
            ${percent(sql`kanidm + dual`, sql`total`)} as migration_percent, slug, total as total_users, completed, excluded, active,
            settled, scope as tenant_id
          from sallyport_figures_totals where total > 0 and ${scope === 'all' ? sql`scope <> ${NIL}::uuid` : sql`scope = ${scope.tenantId}::uuid`}
        ) f left join sallyport_tenants d on d.tenant_id = f.tenant_id
        ${after === undefined ? sql`` : sql`where (-migration_percent, slug, f.tenant_id) > (${-after[0]}::numeric, ${after[1]}::text, ${after[2]}::uuid)`}
        order by migration_percent desc, slug, f.tenant_id limit ${limit + 1}`,
    TenantFigures,
  );
  return { as_of, ...paged(rows, limit, (row) => [row.migration_percent, row.slug, row.tenant_id]) };
}

const TenantCursor = z.tuple([z.number(), z.string(), z.uuid()]);

/** A cursor that no page had as its `next`. */
export class InvalidCursor extends Error {
  override readonly name = 'InvalidCursor';
}

export function parsedCursor<T>(cursor: string, shape: z.ZodType<T>): T {
  try {
    return shape.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
  } catch (cause) {
    throw new InvalidCursor('the cursor is of no page', { cause });
  }
}

/** `rows`: one more than `limit` where there is a further page. `key`: by which rows are ordered. */
export function paged<T>(
  rows: readonly T[],
  limit: number,
  key: (row: T) => readonly unknown[],
): { readonly rows: readonly T[]; readonly next: string | null } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  if (rows.length <= limit || last === undefined) return { rows: page, next: null };
  return { rows: page, next: Buffer.from(JSON.stringify(key(last))).toString('base64url') };
}

export interface Day {
  /** Of UTC, as YYYY-MM-DD. */
  readonly migration_date: string;
  /** First sign-ins by OAuth2 that day, of people deleted since too. */
  readonly users_migrated: number;
  readonly invited: number;
  /** Sessions begun. */
  readonly password_logins: number;
  readonly oauth_logins: number;
  /** Callbacks that ended in a refusal. */
  readonly oauth_failures: number;
}

const DayRow = z.object({
  migration_date: z.string(),
  users_migrated: count,
  invited: count,
  password_logins: count,
  oauth_logins: count,
  oauth_failures: count,
});

/** Days from `days` before that of the figures on, the latest first. Days without events stand with 0, days to come with completions alone. */
export async function readDaily(database: Reads, scope: Scope, days: number): Promise<Rows<Day>> {
  const today = sql`(select coalesce(as_of, now()) at time zone 'UTC' from sallyport_figures_state)::date`;
  const of = (what: string): Sql => sql`coalesce(sum(d.n) filter (where d.what = ${what}), 0)`;
  return readRows(
    database,
    sql`select day as migration_date, ${of('completed')} as users_migrated, ${of('invited')} as invited,
          ${of('password_logins')} as password_logins, ${of('oauth_logins')} as oauth_logins, ${of('oauth_failures')} as oauth_failures
        from (
          select day, what, n from sallyport_figures_days
          where scope = ${scopeId(scope)}::uuid and what = any(${DAILY}::text[]) and day >= ${today} - ${days}::int and n <> 0
            and (day <= ${today} or what = 'completed')
          union all
          select ${today} - back, '', 0 from generate_series(0, ${days}::int) back
        ) d group by day order by day desc`,
    DayRow,
  );
}

const DAILY = ['completed', 'invited', 'password_logins', 'oauth_logins', 'oauth_failures'];

export const STEPS = ['invited', 'delivered', 'seen', 'accepted', 'completed'] as const;

const FunnelStep = z.object({
  step: z.enum(STEPS),
  count,
  /** Per cent of those invited, with two decimals; null without any. */
  rate: z.number().nullable(),
  /** From the mail to this step; null where nobody reached it. */
  median_days: z.number().nullable(),
});
export type FunnelStep = z.output<typeof FunnelStep>;

/** How far invitations have led. `waveId`: null for all of them. */
export async function readFunnel(
  database: Reads,
  scope: Scope,
  waveId: string | null,
): Promise<Rows<FunnelStep>> {
  return readRows(
    database,
    sql`with hours as (
          select step, hours, n, sum(n) over (partition by step order by hours) as upto, sum(n) over (partition by step) as whole
          from sallyport_figures_funnel
          where scope = ${scopeId(scope)}::uuid and wave_id = ${waveId ?? NIL}::uuid and n > 0
        ), steps as (
          select s.step, s.at, coalesce(sum(h.n), 0) as count,
            round(min(h.hours) filter (where h.upto * 2 >= h.whole) / 24.0, 2) as median_days
          from unnest(${STEPS}::text[]) with ordinality as s (step, at) left join hours h on h.step = s.step
          group by s.step, s.at
        )
        select step, count, ${percent(sql`count`, sql`(select count from steps where step = 'invited')`)} as rate, median_days
        from steps order by at`,
    FunnelStep,
  );
}
