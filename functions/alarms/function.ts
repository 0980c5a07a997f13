import type { AlertsConfig } from '../../shared/configuration/alerts.ts';
import { openZitadel, type Deps } from '../../shared/deps.ts';
import type { Brought } from '../../shared/edge/function.ts';
import { ALARMS, standingAlarms } from '../../shared/figures/alarms.ts';
import type { Outbox } from '../../shared/mail/outbox.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { Job, JobDetail } from '../../shared/runs/job.ts';
import { finishRotations } from '../../shared/service-tokens/finish.ts';
import { findAlarms, type Found } from './conditions.ts';
import { reportJob } from './report.ts';
import type { ALARMING, AlarmsConfig } from './slice.ts';
import { logEvents, mailEvents, postEvents, renewStanding, turnAlarms } from './events.ts';
import { findWatched } from './watched.ts';

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
  return { alarms: alarmsJob(deps), watch: watchJob(deps), 'weekly-report': reportJob(deps) };
}

/** Days that events are kept. */
const KEPT_DAYS = 400;

type JobDeps = AlarmsPorts & { readonly database: Database };

/** Judges the alarms of figures, mail and providers. */
function alarmsJob(deps: JobDeps): Job {
  const { database } = deps;
  return {
    async run({ signal, dryRun }) {
      const found = await findAlarms({ ...deps, exchange: deps.platform.exchange });
      const report = await turned(deps, { found, signal, dryRun });
      if (dryRun) return report;
      await database.execute(
        sql`delete from sallyport_alarm_events where status <> 'pending' and at < now() - interval '1 day' * ${KEPT_DAYS}::int`,
      );
      return report;
    },
  };
}

/**
 * Judges what runs out, or stands still unseen: tokens, certificates, backups, missed events. Removes tokens that were replaced, when
 * their time is over.
 */
function watchJob(deps: JobDeps): Job {
  const { zitadel } = deps.config.alarms.watched;
  return {
    async run({ signal, dryRun }) {
      const { found, leftOut } = await findWatched(deps);
      const report = await turned(deps, { found, signal, dryRun });
      const now = new Date(deps.clock.now());
      const tokens = zitadel && (await finishRotations(openZitadel(zitadel, deps), now, dryRun));
      return {
        ...report,
        ...(leftOut.length > 0 && { left_out: leftOut }),
        ...(tokens !== null && tokens.removed.length > 0 && { removed_tokens: tokens.removed }),
      };
    },
  };
}

interface Judged {
  readonly found: readonly Found[];
  readonly signal: AbortSignal;
  readonly dryRun: boolean;
}

/** Records what was found, and reports alarms that turned. A run after an interruption reports what was left. */
async function turned(deps: JobDeps, { found, signal, dryRun }: Judged): Promise<JobDetail> {
  const { database, outbox, config, log } = deps;
  const bad = found.filter(({ raised }) => raised).map(({ name }) => name);
  if (dryRun) return { found: bad };
  const { email, webhook } = config.alerts;
  const events = await turnAlarms(deps, found, webhook !== null);
  logEvents(log, events);
  await renewStanding(database, found);
  const { dashboard } = config.alarms;
  const mailed =
    email === null || outbox === null ? 0 : await mailEvents(database, outbox, { to: email, dashboard });
  const exchange = deps.platform.exchange;
  const posts = webhook === null ? {} : await postEvents({ ...deps, exchange }, webhook, signal);
  const names = (state: 'raised' | 'cleared'): string[] =>
    events.flatMap((each) => (each.state === state ? [each.name] : []));
  return { standing: bad, raised: names('raised'), cleared: names('cleared'), mailed, ...posts };
}
