import { empty, join, sql, type Sql } from '../ports/database.ts';
import { IS_UNREACHABLE } from '../invitations/people.ts';
import { CLASS } from './classes.ts';

/** Days without a sign-in after which a person counts as dormant. */
const DORMANT_DAYS = 180;

/** The newest time of activity that counts as dormant. */
const DORMANT_UNTIL: Sql = sql`(now() - interval '1 day' * ${DORMANT_DAYS}::int)`;

/** Columns of totals, each with the condition on a row of sallyport_figures_people that it counts. */
const TOTALS: readonly (readonly [column: Sql, holds: Sql])[] = [
  [sql`total`, sql`counted`],
  [sql`password`, sql`counted and auth_method = 'password'`],
  [sql`kanidm`, sql`counted and auth_method = 'kanidm'`],
  [sql`dual`, sql`counted and auth_method = 'dual'`],
  [sql`provisioned`, sql`counted and provisioned`],
  [sql`invited`, sql`counted and invited_at is not null`],
  [sql`completed`, sql`counted and completed_at is not null`],
  [sql`dormant`, sql`counted and dormant`],
  [sql`excluded`, sql`counted and excluded`],
  [sql`unreachable`, sql`counted and unreachable`],
  [sql`active`, sql`counted and active`],
  [sql`settled`, sql`counted and active and (completed_at is not null or excluded)`],
];
const COLUMNS = join(TOTALS.map(([column]) => column));

/** Adds rows of (scope, each column of TOTALS) to a table of them. `rows`: a query that names every scope once. */
function addTo(table: Sql, rows: Sql): Sql {
  const sums = join(TOTALS.map(([column]) => sql`${column} = kept.${column} + excluded.${column}`));
  return sql`insert into ${table} as kept (scope, ${COLUMNS}) ${rows} on conflict (scope) do update set ${sums}`;
}

/** Rows `r` of people, with `n` = 1 for one that counts from now on and -1 for one that no longer does: as moves of figures. */
function moving(rows: Sql): Sql {
  const sums = join(TOTALS.map(([, holds]) => sql`coalesce(sum(n) filter (where ${holds}), 0)`));
  const day = (column: Sql): Sql => sql`(${column} at time zone 'UTC')::date`;
  return sql`moved_totals as (${addTo(sql`sallyport_figures_moves`, sql`select tenant_id, ${sums} from ${rows} group by tenant_id`)}),
    moved_days as (
      insert into sallyport_figures_deltas as kept (tenant_id, what, day, n)
      select r.tenant_id, d.what, d.day, sum(r.n) from ${rows} r cross join lateral (
        values ('completed', ${day(sql`r.completed_at`)}), ('invited', ${day(sql`r.invited_at`)})
      ) d (what, day) where d.day is not null group by 1, 2, 3 having sum(r.n) <> 0
      on conflict (tenant_id, what, day) where origin is null do update set n = kept.n + excluded.n
    )`;
}

const PERSON_COLUMNS = sql`user_id, tenant_id, counted, active, auth_method, provisioned, excluded, unreachable, invited_at, completed_at,
  seen_at, awake_at, dormant, class`;

/** Rows of users as they are counted. `whose`: a condition on `u`. */
function people(whose: Sql): Sql {
  return sql`select *, awake_at <= ${DORMANT_UNTIL} as dormant, ${CLASS}::smallint as class from (
    select u.user_id, u.tenant_id, u.deleted_at is null as counted, u.status = 'active' as active, u.auth_method,
      u.kanidm_user_id is not null or exists (select from sallyport_links l where l.user_id = u.user_id) as provisioned,
      p.excluded_at is not null as excluded, ${IS_UNREACHABLE} as unreachable,
      u.migration_invited_at as invited_at, u.migration_completed_at as completed_at,
      coalesce(u.last_login_at, '-infinity') as seen_at, coalesce(u.last_login_at, u.created_at, '-infinity') as awake_at
    from users u left join sallyport_people p on p.user_id = u.user_id where ${whose}
  ) counted`;
}

/**
 * A statement that counts people anew, whatever they were counted as before. `ids`: a CTE with user_id, each once; `before`, `after`:
 * further CTEs of the statement, the latter with a leading comma. As arrays, so that each row is found by its key, however many there are.
 */
export function recount(ids: Sql, { before = empty, after = empty } = {}): Sql {
  const theirs = sql`any(array(select user_id from ids))`;
  return sql`with ${before} ids as materialized (${ids}),
    former as materialized (select * from sallyport_figures_people where user_id = ${theirs}),
    present as materialized (${people(sql`u.user_id = ${theirs}`)}),
    changed as materialized (
      select f.user_id as former_id, p.user_id as present_id from former f full join present p on p.user_id = f.user_id
      where (f.tenant_id, f.counted, f.active, f.auth_method, f.provisioned, f.excluded, f.unreachable, f.dormant, f.invited_at,
          f.completed_at, f.seen_at, f.awake_at)
        is distinct from (p.tenant_id, p.counted, p.active, p.auth_method, p.provisioned, p.excluded, p.unreachable, p.dormant,
          p.invited_at, p.completed_at, p.seen_at, p.awake_at)
    ),
    gone as (
      delete from sallyport_figures_people
      where user_id = any(array(select former_id from changed where present_id is null))
    ),
    kept as (
      insert into sallyport_figures_people (${PERSON_COLUMNS})
      select ${PERSON_COLUMNS} from present where user_id in (select present_id from changed)
      on conflict (user_id) do update set (tenant_id, counted, active, auth_method, provisioned, excluded, unreachable, invited_at,
          completed_at, seen_at, awake_at, dormant, class)
        = (excluded.tenant_id, excluded.counted, excluded.active, excluded.auth_method, excluded.provisioned, excluded.excluded,
          excluded.unreachable, excluded.invited_at, excluded.completed_at, excluded.seen_at, excluded.awake_at, excluded.dormant,
          excluded.class)
    ),
    moves as materialized (
      select 1 as n, ${PERSON_COLUMNS} from present where user_id in (select present_id from changed)
      union all select -1, ${PERSON_COLUMNS} from former where user_id in (select former_id from changed)
    ), ${moving(sql`moves`)} ${after}
    select count(*)::int as people from ids`;
}

/** So few that the index by activity is the cheapest way, whatever the planner takes the share of dormant people for. */
const ASLEEP_AT_ONCE = 1_000;

/** A statement that counts people as dormant whose last sign-in has become too long ago, some at a time. */
export const FALL_ASLEEP: Sql = sql`with fallen as (
    update sallyport_figures_people set dormant = true
    where user_id = any(array(
      select user_id from sallyport_figures_people where not dormant and awake_at <= ${DORMANT_UNTIL}
      order by awake_at limit ${ASLEEP_AT_ONCE}::int
    )) returning tenant_id, counted
  ), sums as (select tenant_id as scope, count(*) filter (where counted) as dormant from fallen group by tenant_id)
  insert into sallyport_figures_moves as kept (scope, dormant) select scope, dormant from sums
  on conflict (scope) do update set dormant = kept.dormant + excluded.dormant`;

/** True while people are left for it. The first by the index says so: whether one exists would be looked up in the whole table. */
export const SOME_FALL_ASLEEP: Sql = sql`coalesce(
  (select awake_at from sallyport_figures_people where not dormant order by awake_at limit 1) <= ${DORMANT_UNTIL}, false)`;

/** Adds the moves of totals, each to its tenant and to all. `only`: a condition. */
export function publishTotals(only: Sql, nil: string): Sql {
  const sums = join(TOTALS.map(([column]) => sql`sum(${column})`));
  return sql`with moved as (delete from sallyport_figures_moves where ${only} returning *)
    ${addTo(
      sql`sallyport_figures_totals`,
      sql`select s.scope, ${sums} from moved m cross join lateral (values (m.scope), (${nil}::uuid)) s (scope) group by s.scope`,
    )}`;
}
