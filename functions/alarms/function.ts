import type { AlertsConfig } from '../../shared/configuration/alerts.ts';
import type { Deps } from '../../shared/deps.ts';
import type { Brought } from '../../shared/edge/function.ts';
import { ALARMS, standingAlarms } from '../../shared/figures/alarms.ts';
import type { Outbox } from '../../shared/mail/outbox.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { Job } from '../../shared/runs/job.ts';
import { findAlarms } from './conditions.ts';
import { reportJob } from './report.ts';
import type { ALARMING, AlarmsConfig } from './slice.ts';
import { logEvents, mailEvents, postEvents, renewStanding, turnAlarms } from './events.ts';

export type AlarmsPorts = Pick<Deps, 'platform' | 'clock' | 'random' | 'log'> & {
  readonly config: { readonly alarms: AlarmsConfig; readonly alerts: AlertsConfig };
  /** Null where nothing is sent. */
  readonly outbox: Outbox | null;
};

/** Alarms, reported once when raised and once when cleared, and the weekly report by mail. */
export function createAlarms(ports: AlarmsPorts & Pick<Deps, 'database'>): Brought {
  const { database, platform } = ports;
  if (database === null) return {};
  platform.metrics.gauge('sallyport_alarm', 'Alarms: 1 while one stands.', 'alarm', async () => {
    const standing = await standingAlarms(database).catch(() => undefined);
    if (standing === undefined) return new Map();
    const names = new Set<string>(standing.map(({ name }) => name));
    return new Map(ALARMS.map((name) => [name, names.has(name) ? 1 : 0]));
  });
  return { jobs: alarmsJobs({ ...ports, database }) };
}

export type AlarmsJobs = Readonly<Record<keyof typeof ALARMING.schedule, Job>>;

export function alarmsJobs(deps: AlarmsPorts & { readonly database: Database }): AlarmsJobs {
  return { alarms: alarmsJob(deps), 'weekly-report': reportJob(deps) };
}

/** Days that events are kept. */
const KEPT_DAYS = 400;

/** Judges every alarm, and reports those that turned. A run after an interruption reports what was left. */
function alarmsJob(deps: AlarmsPorts & { readonly database: Database }): Job {
  const { database, outbox, config, log } = deps;
  const exchange = deps.platform.exchange;
  const { email, webhook } = config.alerts;
  return {
    async run({ signal, dryRun }) {
      const found = await findAlarms({ ...deps, exchange });
      const bad = found.filter(({ raised }) => raised).map(({ name }) => name);
      if (dryRun) return { found: bad };
      const turned = await turnAlarms(deps, found, webhook !== null);
      logEvents(log, turned);
      await renewStanding(database, found);
      const { dashboard } = config.alarms;
      const mailed =
        email === null || outbox === null ? 0 : await mailEvents(database, outbox, { to: email, dashboard });
      const posts = webhook === null ? {} : await postEvents({ ...deps, exchange }, webhook, signal);
      await database.execute(
        sql`delete from sallyport_alarm_events where status <> 'pending' and at < now() - interval '1 day' * ${KEPT_DAYS}::int`,
      );
      const names = (state: 'raised' | 'cleared'): string[] =>
        turned.flatMap((each) => (each.state === state ? [each.name] : []));
      return { standing: bad, raised: names('raised'), cleared: names('cleared'), mailed, ...posts };
    },
  };
}
