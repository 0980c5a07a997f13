import * as z from 'zod';
import { sql } from '../ports/database.ts';
import { forecast, peopleFor, plusDays, TARGET, type Course, type Forecast } from './forecast.ts';
import type { Reads, Rows, Values } from './read.ts';
import { scopeId, type Scope } from './scope.ts';
import { quantileMs } from './token-times.ts';

/** What a reading of the move is asked for. */
export interface JudgeOptions {
  /** Instead of the start of the first wave. */
  readonly since?: Date | undefined;
  /** Whether tickets can be reported: then none is a figure, too. */
  readonly ticketsTaken: boolean;
}

/** What KPIs, forecast and alarms are computed from, as of one time. */
export interface Reading extends Course {
  readonly asOf: string | null;
  /** ISO 8601. */
  readonly sinceAt: string | null;
  readonly scope: Scope;
  /** Since then. */
  readonly logins: number;
  readonly failures: number;
  readonly surveys: number;
  readonly points: number;
  readonly tickets: number;
  /** Checks of tokens by bucket. */
  readonly checks: ReadonlyMap<number, number>;
  readonly ticketsTaken: boolean;
}

const Counts = z.record(z.string(), z.number());
const ReadingRow = z.object({
  asOf: z.date().nullable(),
  sinceAt: z.date().nullable(),
  day: z.string(),
  active: z.number(),
  settled: z.number(),
  completed: Counts,
  sums: Counts,
  tickets: z.number(),
  anyTicket: z.boolean(),
  checks: Counts,
});

/** Throws as `Database`. */
export async function readCourse(database: Reads, scope: Scope, options: JudgeOptions): Promise<Reading> {
  const id = scopeId(scope);
  const mine =
    scope === 'all'
      ? sql`true`
      : sql`(jsonb_typeof(w.cohort->'tenants') is distinct from 'array' or w.cohort->'tenants' ? ${id}::text)`;
  const theirs = scope === 'all' ? sql`true` : sql`k.tenant_id = ${id}::uuid`;
  const [row] = await database.query(
    sql`with given as (
          select s.as_of, (coalesce(s.as_of, now()) at time zone 'UTC')::date as day,
            coalesce(${options.since ?? null}::timestamptz, (select min(w.started_at) from sallyport_waves w where ${mine})) as since_at
          from sallyport_figures_state s
        ), said as (
          select *, coalesce((since_at at time zone 'UTC')::date, '-infinity') as first from given
        ), days as materialized (
          select what, day, n from sallyport_figures_days
          where scope = ${id}::uuid and what in ('completed', 'oauth_logins', 'oauth_failures', 'surveys', 'survey_points') and n <> 0
        )
        select g.as_of as "asOf", g.since_at as "sinceAt", g.day::text as day,
          coalesce(t.active, 0) as active, coalesce(t.settled, 0) as settled,
          (select coalesce(jsonb_object_agg(d.day::text, d.n), '{}') from days d where d.what = 'completed') as completed,
          (select coalesce(jsonb_object_agg(s.what, s.n), '{}')
            from (select d.what, sum(d.n) as n from days d where d.day >= g.first group by d.what) s) as sums,
          (select count(*) from sallyport_tickets k where k.at >= coalesce(g.since_at, '-infinity') and ${theirs}) as tickets,
          exists (select from sallyport_tickets) as "anyTicket",
          (select coalesce(jsonb_object_agg(c.bucket::text, c.n), '{}')
            from (select bucket, sum(n) as n from sallyport_token_checks where day >= g.first group by bucket) c) as checks
        from said g left join sallyport_figures_totals t on t.scope = ${id}::uuid`,
    ReadingRow,
  );
  if (row === undefined) throw new Error('sallyport_figures_state has no row');
  const { sums, asOf, sinceAt } = row;
  return {
    ...row,
    scope,
    asOf: asOf?.toISOString() ?? null,
    sinceAt: sinceAt?.toISOString() ?? null,
    since: sinceAt?.toISOString().slice(0, 10) ?? null,
    completed: new Map(Object.entries(row.completed)),
    logins: sums['oauth_logins'] ?? 0,
    failures: sums['oauth_failures'] ?? 0,
    surveys: sums['surveys'] ?? 0,
    points: sums['survey_points'] ?? 0,
    checks: new Map(Object.entries(row.checks).map(([bucket, n]) => [Number(bucket), n])),
    ticketsTaken: options.ticketsTaken || row.anyTicket,
  };
}

export interface Kpi {
  readonly kpi: 'migration_rate' | 'token_check_p99' | 'callback_errors' | 'satisfaction' | 'tickets';
  /** The target in words, and its number in `unit`. */
  readonly target: string;
  readonly target_value: number;
  readonly unit: '%' | 'ms' | 'of 5' | 'tickets';
  /** Null: no data. */
  readonly value: number | null;
  readonly met: boolean | null;
  /** What is counted from; null: from the start. */
  readonly since: string | null;
  /** `no data` with its reason, or what else there is to know; empty otherwise. */
  readonly note: string;
}

/** Of callbacks, by which the target is missed. */
export const MOST_ERRORS_PERCENT = 0.1;

type Judged = Pick<Kpi, 'value' | 'met' | 'note'>;
type Target = Pick<Kpi, 'kpi' | 'target' | 'target_value' | 'unit'>;

const TARGETS: readonly (Target & { readonly judge: (reading: Reading) => Judged })[] = [
  {
    ...{ kpi: 'migration_rate', target: '95 % in 60 days', target_value: 95, unit: '%' },
    judge: judgeRate,
  },
  {
    ...{ kpi: 'token_check_p99', target: '< 100 ms', target_value: 100, unit: 'ms' },
    judge({ checks, scope }) {
      if (scope !== 'all') return noData('counted for all tenants together');
      const value = quantileMs(checks, 0.99);
      return value === null
        ? noData('no token was checked yet')
        : { value: rounded(value), met: value < 100, note: '' };
    },
  },
  {
    ...{
      kpi: 'callback_errors',
      target: `< ${MOST_ERRORS_PERCENT} %`,
      target_value: MOST_ERRORS_PERCENT,
      unit: '%',
    },
    judge(reading) {
      const value = errorPercent(reading);
      return value === null
        ? noData('no callback yet')
        : { value: rounded(value, 4), met: value < MOST_ERRORS_PERCENT, note: '' };
    },
  },
  {
    ...{ kpi: 'satisfaction', target: '4.5 of 5', target_value: 4.5, unit: 'of 5' },
    judge({ surveys, points }) {
      if (surveys <= 0) return noData('no survey yet');
      const value = points / surveys;
      return { value: rounded(value), met: value >= 4.5, note: `${surveys} answers` };
    },
  },
  {
    ...{ kpi: 'tickets', target: '< 10', target_value: 10, unit: 'tickets' },
    judge: ({ tickets, ticketsTaken }) =>
      ticketsTaken
        ? { value: tickets, met: tickets < 10, note: '' }
        : noData('nobody can report tickets: MAIL_EVENTS_SECRET is not set'),
  },
];

function noData(why: string): Judged {
  return { value: null, met: null, note: `no data: ${why}` };
}

/** Per cent of callbacks that ended in a refusal; null without any. */
export function errorPercent({ logins, failures }: Pick<Reading, 'logins' | 'failures'>): number | null {
  const callbacks = logins + failures;
  return callbacks <= 0 ? null : (100 * failures) / callbacks;
}

/** Per cent of active people who have completed or are excluded, as the gate of the clean-up counts; null without people. */
export function acrossPercent({ active, settled }: Pick<Course, 'active' | 'settled'>): number | null {
  return active <= 0 ? null : (100 * settled) / active;
}

/** After the last day of the target, how many were across on that day decides. */
function judgeRate({ active, settled, since, completed, day }: Reading): Judged {
  const value = acrossPercent({ active, settled });
  if (value === null) return noData('nobody is there');
  const needed = peopleFor(TARGET.share, active);
  const last = since === null ? null : plusDays(since, TARGET.days);
  const note = last === null ? 'no wave has started' : `by ${last}`;
  if (last === null || day <= last) return { value: rounded(value), met: settled >= needed, note };
  const late = [...completed].reduce((sum, [at, count]) => sum + (at > last ? count : 0), 0);
  return { value: rounded(value), met: settled - late >= needed, note };
}

function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

export function kpisOf(reading: Reading): Rows<Kpi> {
  const rows = TARGETS.map(({ judge, ...target }) => ({
    ...target,
    ...judge(reading),
    since: reading.sinceAt,
  }));
  return { as_of: reading.asOf, rows };
}

export function forecastOf(reading: Reading): Values<Forecast> {
  return { as_of: reading.asOf, values: forecast(reading) };
}
