import * as z from 'zod';
import { parseRows, sql, type Database, type Sql } from '../ports/database.ts';
import { FALL_ASLEEP, publishTotals, recount, SOME_FALL_ASLEEP } from './count.ts';
import { NIL } from './scope.ts';

/** People, sessions and changes per transaction: a second or so each, far from what a statement may take. */
const AT_ONCE = 10_000;

const State = z.object({ peopleDone: z.boolean(), sessionsDone: z.boolean(), current: z.boolean() });
type State = z.output<typeof State>;

/** `current`: the figures were published by this very transaction. */
const STATE = sql`select people_done as "peopleDone", sessions_done as "sessionsDone", as_of is not distinct from now() as current
  from sallyport_figures_state`;

export interface Refreshed {
  /**
   * `current`: the figures are those of this refresh. `behind`: it was stopped before, and the next one goes on. `frozen`: the clean-up
   * has dropped what they are counted from, and they stay as they were.
   */
  readonly state: 'current' | 'behind' | 'frozen';
  /** People looked at. */
  readonly people: number;
}

export interface RefreshOptions {
  /** Aborted: stops after the transaction under way. */
  readonly signal?: AbortSignal;
  /** Rows per transaction. */
  readonly atOnce?: number;
}

/**
 * Brings the figures up to date: takes in what has changed, and where everybody has to be looked at, goes on with that. Each
 * transaction sees one state of the database, in which the queue of changes and the rows themselves belong together; what commits
 * later is taken in by the next refresh. Two at a time are safe: one fails as `DatabaseError`. Throws as `Database`.
 */
export async function refreshFigures(
  database: Pick<Database, 'query' | 'transaction'>,
  { signal, atOnce = AT_ONCE }: RefreshOptions = {},
): Promise<Refreshed> {
  if (await isFrozen(database)) {
    await database.transaction([...DROP_CHANGES, DROP_NOTES]);
    return { state: 'frozen', people: 0 };
  }
  let people = 0;
  let [state] = await database.query(STATE, State);
  while (signal?.aborted !== true) {
    const step = await database.transaction(stepOf(state, atOnce), { isolation: 'repeatable read' });
    [state] = parseRows(step.at(-1)?.rows ?? [], State);
    people += step.reduce((sum, { rows }) => sum + countIn(rows), 0);
    if (state?.current === true) return { state: 'current', people };
  }
  return { state: 'behind', people };
}

const Counted = z.object({ people: z.number() });

function countIn(rows: readonly unknown[]): number {
  return Counted.safeParse(rows[0]).data?.people ?? 0;
}

/** The statements of the next transaction; the last one answers the state after it. */
function stepOf(state: State | undefined, atOnce: number): readonly Sql[] {
  if (state?.peopleDone === false) return [recountNext(atOnce), STATE];
  if (state?.sessionsDone === false) return [...countSessions(atOnce), STATE];
  return [...refreshing(atOnce), STATE];
}

/** Of everybody, those who come next by their ids: also people who are counted and are no longer there. */
function recountNext(limit: number): Sql {
  const next = (table: Sql): Sql => sql`(select user_id from ${table}
    where user_id > (select coalesce(people_after, ${NIL}::uuid) from sallyport_figures_state) order by user_id limit ${limit}::int)`;
  return recount(
    sql`select user_id from (${next(sql`users`)} union ${next(sql`sallyport_figures_people`)}) both_of order by user_id limit ${limit}::int`,
    {
      after: sql`, went_on as (
        update sallyport_figures_state set people_done = (select count(*) from ids) < ${limit}::int,
          people_after = coalesce((select user_id from ids order by user_id desc limit 1), people_after)
      )`,
    },
  );
}

/** Sessions from before they were noted as they begin, and refused callbacks. A noted one is left to its note. */
function countSessions(limit: number): readonly Sql[] {
  const failures = sql`insert into sallyport_figures_deltas (origin, tenant_id, what, day, n)
    select 'from before', (select u.tenant_id from users u where u.user_id = a.subject), 'oauth_failures', (a.at at time zone 'UTC')::date, count(*)
    from sallyport_audit a
    where a.what in ('sign_in_refused', 'link_refused') and a.detail ? 'by'
      and (select sessions_after is null from sallyport_figures_state)
      and not exists (select from sallyport_figures_deltas d where d.origin = 'audit ' || a.id)
    group by 2, 4`;
  const sessions = sql`with page as materialized (
      select session_id, tenant_id, auth_method, created_at from sessions
      where session_id > (select coalesce(sessions_after, ${NIL}::uuid) from sallyport_figures_state) order by session_id limit ${limit}::int
    ), counted as (
      insert into sallyport_figures_deltas (origin, tenant_id, what, day, n)
      select 'from before', tenant_id, case auth_method when 'jwt' then 'password_logins' else 'oauth_logins' end,
        (created_at at time zone 'UTC')::date, count(*)
      from page p where created_at is not null
        and not exists (select from sallyport_figures_deltas d where d.origin = p.session_id::text)
      group by 2, 3, 4
    )
    update sallyport_figures_state set sessions_done = (select count(*) from page) < ${limit}::int,
      sessions_after = coalesce((select session_id from page order by session_id desc limit 1), sessions_after, ${NIL}::uuid)`;
  return [failures, sessions];
}

/** Nothing is left that would move a figure. */
const ALL_TAKEN = sql`((select people_done and sessions_done from sallyport_figures_state)
  and not exists (select from sallyport_changes) and not ${SOME_FALL_ASLEEP})`;

export function refreshing(limit: number): readonly Sql[] {
  return [
    // Together with the changes, so that of two refreshes at a time one fails before it has worked.
    sql`update sallyport_figures_state set people_done = people_done`,
    recount(sql`select distinct user_id from noted where user_id is not null`, {
      before: sql`noted as materialized (select id, user_id from sallyport_changes order by id limit ${limit}::int),`,
      after: sql`, taken as (delete from sallyport_changes where id = any(array(select id from noted))),
        restarted as (
          update sallyport_figures_state set people_done = false, people_after = null
          where exists (select from noted where user_id is null)
        )`,
    }),
    FALL_ASLEEP,
    sql`update sallyport_figures_state set as_of = now() where ${ALL_TAKEN}`,
    publishTotals(PUBLISHING, NIL),
    addDays(PUBLISHING),
    // What is shown of a tenant belongs to the same time.
    sql`update sallyport_figures_totals f set name = t.name, slug = t.slug from tenants t
        where t.tenant_id = f.scope and (f.name, f.slug) is distinct from (t.name, t.slug) and ${PUBLISHING}`,
  ];
}

const PUBLISHING = sql`(select as_of = now() from sallyport_figures_state)`;

/** Adds moves of days and steps of invitations, each to its tenant and to all; steps to their wave and to all. `which`: a condition. */
function addDays(which: Sql): Sql {
  return sql`with moved as materialized (delete from sallyport_figures_deltas where ${which} returning *),
  scoped as materialized (
    select s.scope, m.what, m.day, m.wave_id, m.hours, m.n
    from moved m cross join lateral (select m.tenant_id union select ${NIL}::uuid) s (scope) where s.scope is not null
  ), days as (
    insert into sallyport_figures_days as kept (scope, what, day, n)
    select scope, what, day, sum(n) from scoped where day is not null group by 1, 2, 3 having sum(n) <> 0
    on conflict (scope, what, day) do update set n = kept.n + excluded.n
  )
  insert into sallyport_figures_funnel as kept (scope, wave_id, step, hours, n)
  select s.scope, w.wave_id, s.what, s.hours, sum(s.n)
  from scoped s cross join lateral (select s.wave_id union select ${NIL}::uuid) w (wave_id)
  where s.hours is not null and w.wave_id is not null group by 1, 2, 3, 4 having sum(s.n) <> 0
  on conflict (scope, wave_id, step, hours) do update set n = kept.n + excluded.n`;
}

const Frozen = z.object({ frozen: z.boolean() });

/** Whether the clean-up has dropped columns that figures are counted from. */
async function isFrozen(database: Pick<Database, 'query'>): Promise<boolean> {
  const [row] = await database.query(
    sql`select not exists (
          select from pg_attribute where attrelid = 'users'::regclass and attname = 'migration_completed_at' and not attisdropped
        ) as frozen`,
    Frozen,
  );
  return row?.frozen !== false;
}

/** Should counting go on one day, everybody is looked at. */
const DROP_CHANGES = [
  sql`delete from sallyport_changes`,
  sql`update sallyport_figures_state set people_done = false, people_after = null`,
];
const DROP_NOTES = sql`delete from sallyport_figures_deltas where origin is not null`;

/**
 * Empties the queue of changes where no function shows figures, so that it does not grow. Sign-ins and steps of invitations are counted all
 * the same, since nothing else keeps them. Throws as `Database`.
 */
export async function keepNotesAlone(database: Pick<Database, 'transaction'>): Promise<void> {
  const counted = sql`origin = 'invitation' or (origin is not null and (select sessions_done from sallyport_figures_state))`;
  // Until sessions from before are counted, those noted since are found with them.
  await database.transaction([...DROP_CHANGES, addDays(counted), DROP_NOTES]);
}
