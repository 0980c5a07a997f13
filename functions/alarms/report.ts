import type { AlertsConfig } from '../../shared/configuration/alerts.ts';
import { ALARM_TITLES, ALARMS, standingAlarms } from '../../shared/figures/alarms.ts';
import { forecast, plusDays, type Forecast } from '../../shared/figures/forecast.ts';
import { acrossPercent, kpisOf, readCourse, type Kpi } from '../../shared/figures/kpis.ts';
import { readDaily, type Day } from '../../shared/figures/read.ts';
import { bar, tenantsBehind } from '../../shared/figures/week.ts';
import type { MailValues } from '../../shared/mail/fill.ts';
import { lettered, REPORTED } from '../../shared/mail/kinds.ts';
import type { Outbox } from '../../shared/mail/outbox.ts';
import type { Database } from '../../shared/ports/database.ts';
import type { Clock } from '../../shared/ports/runtime.ts';
import type { Job, JobDetail } from '../../shared/runs/job.ts';
import type { AlarmsConfig } from './slice.ts';

export interface ReportDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly outbox: Outbox | null;
  readonly config: { readonly alarms: AlarmsConfig; readonly alerts: AlertsConfig };
}

const NOT_KEPT: JobDetail = { state: 'not wanted: analytics is not among FUNCTIONS' };
const NO_ADDRESS: JobDetail = { state: 'not configured: set ALERT_EMAIL, MAIL_URL and MAIL_FROM' };

/** Mails the figures of the last seven whole days, once for each of them. */
export function reportJob({ database, clock, outbox, config }: ReportDeps): Job {
  return {
    async run({ dryRun }) {
      const { figuresKept, dashboard } = config.alarms;
      const to = config.alerts.email;
      if (!figuresKept) return NOT_KEPT;
      if (to === null || outbox === null) return NO_ADDRESS;
      const today = new Date(clock.now()).toISOString().slice(0, 10);
      const values = await weekValues(database, today);
      if (values === undefined) return { state: 'no figures yet' };
      if (dryRun) return { week: values['week'] ?? '' };
      const mail = {
        kind: 'weekly-report' as const,
        key: `weekly-report-${today}`,
        to,
        tenant: null,
        values: { ...values, ...(dashboard !== null && { dashboard_link: dashboard }) },
      };
      const put = await database.execute(await outbox.enqueue(mail));
      if (put > 0) outbox.nudge();
      return { week: values['week'] ?? '', mailed: put };
    },
  };
}

const WIDTH = 24;

/** Undefined before figures have been counted. Throws as `Database`. */
async function weekValues(database: Database, today: string): Promise<MailValues | undefined> {
  const reading = await readCourse(database, 'all', { ticketsTaken: false });
  if (reading.asOf === null) return undefined;
  const [daily, behind, alarms] = await Promise.all([
    readDaily(database, 'all', 2 * REPORTED.days),
    tenantsBehind(database, REPORTED.tenants),
    standingAlarms(database),
  ]);
  const [first, last] = [plusDays(today, -REPORTED.days), plusDays(today, -1)];
  const days = daily.rows.filter(({ migration_date: day }) => day >= first && day <= last).toReversed();
  const sum = (of: Exclude<keyof Day, 'migration_date'>): string =>
    String(days.reduce((all, day) => all + day[of], 0));
  const most = Math.max(1, ...days.map((day) => day.users_migrated));
  const across = acrossPercent(reading) ?? 0;
  const titles = alarms.flatMap(({ name, detail }) => {
    const known = ALARMS.find((each) => each === name);
    return known === undefined ? [] : [`${ALARM_TITLES[known]}: ${detail}`];
  });
  return {
    week: `${first} to ${last}`,
    across: `${across.toFixed(1)} %`,
    across_bar: bar(across / 100, WIDTH),
    completed: sum('users_migrated'),
    invited: sum('invited'),
    oauth_logins: sum('oauth_logins'),
    password_logins: sum('password_logins'),
    ...outlook(forecast(reading)),
    ...listed(
      'day',
      days.map((day) => `${day.migration_date}: ${day.users_migrated}`),
    ),
    ...listed(
      'day_bar',
      days.map((day) => bar(day.users_migrated / most, WIDTH)),
    ),
    ...listed(
      'tenant',
      behind.map(({ name, active, settled }) => `${name}: ${settled} of ${active}`),
    ),
    ...listed(
      'tenant_bar',
      behind.map(({ active, settled }) => bar(settled / active, WIDTH)),
    ),
    ...listed('kpi', kpisOf(reading).rows.map(kpiLine)),
    ...listed('alarm', titles.length === 0 ? ['none'] : titles),
  };
}

function listed(name: string, values: readonly string[]): MailValues {
  return Object.fromEntries(lettered(name, values.length).map((key, at) => [key, values[at] ?? '']));
}

function outlook({ p95, p100, on_track, target }: Forecast): MailValues {
  const day = (date: string | null): string => date ?? 'no day, at this pace';
  const track = on_track === null ? '' : on_track ? ', on track' : ', not on track';
  return {
    forecast: `95 % on ${day(p95.date)}, 100 % on ${day(p100.date)}`,
    ...(target !== null && { target: `The target is 95 % by ${target}${track}` }),
  };
}

/** As in the list of KPIs, for people. */
function kpiLine({ kpi, target, value, unit, met, note }: Kpi): string {
  const name = KPI_NAMES[kpi];
  if (value === null) return `${name}: ${note} (target ${target})`;
  return `${name}: ${value} ${unit}, target ${target}${met === null ? '' : met ? ', met' : ', not met'}`;
}

const KPI_NAMES: Readonly<Record<Kpi['kpi'], string>> = {
  migration_rate: 'Migration rate',
  token_check_p99: 'Token check, p99',
  callback_errors: 'Errors of callbacks',
  satisfaction: 'Satisfaction',
  tickets: 'Support tickets',
};
