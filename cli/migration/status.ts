import * as z from 'zod';
import { standingAlarms, type Alarm } from '../../shared/figures/alarms.ts';
import { forecast, paceOf, plusDays, type Forecast, type Reached } from '../../shared/figures/forecast.ts';
import { acrossPercent, kpisOf, readCourse, type Kpi } from '../../shared/figures/kpis.ts';
import {
  readDaily,
  readOverall,
  readTenants,
  type Overall,
  type TenantFigures,
} from '../../shared/figures/read.ts';
import { refreshFigures } from '../../shared/figures/refresh.ts';
import type { Scope } from '../../shared/figures/scope.ts';
import { bar } from '../../shared/figures/week.ts';
import { isTenant } from '../../shared/people/tenants.ts';
import { DatabaseError, sql, type Database } from '../../shared/ports/database.ts';
import { Failure } from '../failure.ts';
import { withDatabase } from '../people/ground.ts';
import { colors, environment, note, print, printJson } from '../terminal.ts';

export interface StatusCommand {
  readonly tenant?: string;
  readonly since?: Date;
  readonly json?: boolean;
}

/** How the move goes, as the page of the figures shows it. */
interface Status {
  readonly as_of: string;
  readonly tenant: string | null;
  /** Per cent of active people who have completed or are excluded; null without people. */
  readonly across_percent: number | null;
  readonly totals: Overall;
  readonly tenants: readonly TenantFigures[];
  /** First sign-ins by OAuth2 per day, by weekday; null while there are none. */
  readonly pace: Readonly<Record<string, number>> | null;
  readonly days: readonly { readonly date: string; readonly completed: number }[];
  readonly forecast: Forecast;
  readonly kpis: readonly Kpi[];
  readonly alarms: readonly Alarm[];
}

/** Takes in what has changed, and prints where the move stands. */
export async function runStatus({ tenant, since, json }: StatusCommand): Promise<void> {
  const status = await withDatabase(async ({ database }) => {
    const scope = await scopeOf(database, tenant);
    await refresh(database);
    return readStatus(database, scope, tenant ?? null, since);
  });
  if (json === true) printJson(status);
  else show(status);
}

/** Of one refresh; a first count of millions goes on with the next one. */
const REFRESH_MS = 20_000;

async function refresh(database: Database): Promise<void> {
  try {
    const { state } = await refreshFigures(database, { signal: AbortSignal.timeout(REFRESH_MS) });
    if (state === 'behind') note('figures are still being counted: run it again for newer ones');
  } catch (error) {
    // The job may be counting, or the role may only read: figures are shown as they are, with their time.
    if (!(error instanceof DatabaseError)) throw error;
  }
}

const Id = z.object({ id: z.string() });

/** Throws Failure for a slug or an id that no tenant has. */
async function scopeOf(database: Database, tenant: string | undefined): Promise<Scope> {
  if (tenant === undefined) return 'all';
  const [row] = await database.query(
    sql`select tenant_id as id from tenants t where ${isTenant(tenant)}`,
    Id,
  );
  if (row === undefined) throw new Failure(`there is no tenant ${tenant}: \`sallyport tenants list\``);
  return { tenantId: row.id };
}

const SHOWN_DAYS = 14;
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

async function readStatus(
  database: Database,
  scope: Scope,
  tenant: string | null,
  since: Date | undefined,
): Promise<Status> {
  const ticketsTaken = (environment['MAIL_EVENTS_SECRET'] ?? '') !== '';
  const [{ as_of, values: totals }, reading, daily, tenants, alarms] = await Promise.all([
    readOverall(database, scope),
    readCourse(database, scope, { since, ticketsTaken }),
    readDaily(database, scope, SHOWN_DAYS),
    allTenants(database, scope),
    standingAlarms(database),
  ]);
  if (as_of === null)
    throw new Failure(
      'the figures have not been counted to the end yet: run it again, or `sallyport cron run figures-rollup`',
    );
  const across = acrossPercent(reading);
  const pace = paceOf(reading);
  const weekday = (at: number): string => WEEKDAYS[new Date(plusDays(reading.day, at + 1)).getUTCDay()] ?? '';
  return {
    as_of,
    tenant,
    across_percent: across === null ? null : Number(across.toFixed(2)),
    totals,
    tenants,
    pace: pace && Object.fromEntries(pace.means.map((mean, at) => [weekday(at), Number(mean.toFixed(2))])),
    days: daily.rows.map((day) => ({ date: day.migration_date, completed: day.users_migrated })),
    forecast: forecast(reading),
    kpis: kpisOf(reading).rows,
    alarms,
  };
}

async function allTenants(database: Database, scope: Scope): Promise<TenantFigures[]> {
  const all: TenantFigures[] = [];
  for (let cursor: string | undefined; ;) {
    const { rows, next } = await readTenants(database, scope, { limit: 1_000, cursor });
    all.push(...rows);
    if (next === null) return all;
    cursor = next;
  }
}

const WIDTH = 24;
const DAY = 10;

function show(status: Status): void {
  const { totals, tenants, alarms } = status;
  const share = status.across_percent;
  const people = `${totals.settled} of ${totals.active} active people`;
  print(
    `${drawn(totals)}  ${colors.bold(share === null ? 'nobody is there' : `${share.toFixed(1)} % across`)}  ${people}`,
  );
  const counts = (['provisioned', 'invited', 'completed', 'excluded', 'dormant', 'unreachable'] as const).map(
    (name) => `${name} ${totals[name]}`,
  );
  print(colors.dim(`${counts.join(', ')}; as of ${status.as_of}`));
  const longest = Math.max(0, ...tenants.map(({ slug }) => slug.length));
  if (tenants.length > 0) print('');
  for (const each of tenants) {
    const deadline = each.deadline === null ? '' : `, deadline ${each.deadline.slice(0, DAY)}`;
    const confirmed = each.confirmed === null ? '' : ', confirmed';
    print(
      `${each.slug.padEnd(longest)}  ${drawn(each)}  ${each.settled} of ${each.active}${colors.dim(deadline + confirmed)}`,
    );
  }
  print('');
  print(`pace      ${paceText(status)}`);
  for (const line of forecastLines(status.forecast)) print(line);
  print('');
  for (const kpi of status.kpis) print(kpiText(kpi));
  print('');
  if (alarms.length === 0) print(`alarms    ${colors.green('none')}`);
  for (const { name, since, detail } of alarms)
    print(`${colors.red('alarm')}     ${name} since ${since.toISOString()}: ${detail}`);
}

function drawn({ settled, active }: Pick<Overall, 'settled' | 'active'>): string {
  return colors.cyan(bar(active === 0 ? 0 : settled / active, WIDTH));
}

function paceText({ pace }: Status): string {
  if (pace === null) return 'nobody in the last 28 days';
  const means = Object.entries(pace);
  const mean = means.reduce((sum, [, each]) => sum + each, 0) / means.length;
  return `${mean.toFixed(1)} a day  ${colors.dim(means.map(([day, each]) => `${day} ${each}`).join(', '))}`;
}

function forecastLines({ p95, p100, on_track, target }: Forecast): string[] {
  const when = ({ date, low, high }: Reached): string => {
    if (date === null) return 'no day, at this pace';
    return low === date && high === date
      ? date
      : `${date}  ${colors.dim(`${low ?? ''} to ${high ?? 'no end'}`)}`;
  };
  const track = on_track === null ? '' : on_track ? colors.green(', on track') : colors.red(', not on track');
  return [
    `95 %      ${when(p95)}`,
    `100 %     ${when(p100)}`,
    `target    ${target === null ? 'none: no wave has started' : `95 % by ${target}${track}`}`,
  ];
}

function kpiText({ kpi, target, value, unit, met, note: more }: Kpi): string {
  const verdict = met === null ? colors.dim('no data') : met ? colors.green('met') : colors.yellow('not met');
  const shown = value === null ? '' : `${value} ${unit}`;
  return `${kpi.padEnd(16)} ${target.padEnd(16)} ${shown.padEnd(14)} ${verdict}${value === null ? colors.dim(more.replace(/^no data/, '')) : ''}`;
}
