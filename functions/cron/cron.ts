import type { Database } from '../../shared/ports/database.ts';
import type { Log } from '../../shared/ports/log.ts';
import type { Metrics } from '../../shared/ports/metrics.ts';
import type { Clock, Random } from '../../shared/ports/runtime.ts';
import type { JobDetail, ScheduledJob } from '../../shared/runs/job.ts';
import { LEASE_MS, openLease, renewed, type Lease } from '../../shared/runs/lease.ts';
import { begin, finish, readStates } from './runs.ts';
import type { Platform } from '../../shared/ports/platform.ts';
import { nameAndMessageOf } from '../../shared/errors.ts';

export interface CronDeps {
  readonly database: Database;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly jobs: readonly ScheduledJob[];
  /** Patterns that may be due without a job: those of functions that are off. */
  readonly idle?: ReadonlySet<string>;
}

export interface CronOptions {
  /** Milliseconds after which a run must stop. Every call of a job is itself bounded to a few seconds. */
  readonly budgetMs?: number;
  /** Milliseconds without a renewal after which another replica takes over. */
  readonly leaseMs?: number;
}

export type RunResult =
  | { readonly outcome: 'done'; readonly job: string; readonly detail: JobDetail }
  | { readonly outcome: 'failed'; readonly job: string; readonly error: unknown }
  /** Another replica holds the lease, or has served this time. */
  | { readonly outcome: 'skipped'; readonly job: string };

export interface Cron {
  /** The patterns to call tick() for. */
  readonly patterns: readonly string[];
  /** Runs all jobs of a pattern for one time of the schedule. Throws UnknownSchedule. */
  tick(pattern: string, due: Date): Promise<readonly RunResult[]>;
  /** Runs a job now, whatever the schedule. Throws UnknownJob. */
  run(job: string): Promise<RunResult>;
  /** What a run would do; takes no lease and records nothing. Throws UnknownJob. */
  preview(job: string): Promise<JobDetail>;
  /** Aborts running jobs, and resolves when they have stopped. */
  close(): Promise<void>;
}

/** A trigger without a job: wrangler.toml and the functions' schedules differ. */
export class UnknownSchedule extends Error {
  override readonly name = 'UnknownSchedule';

  constructor(pattern: string) {
    super(`no job belongs to the schedule ${JSON.stringify(pattern)}`);
  }
}

export class UnknownJob extends Error {
  override readonly name = 'UnknownJob';

  constructor(name: string) {
    super(`there is no job ${JSON.stringify(name)}`);
  }
}

const BUDGET_MS = 50_000;

/** Regular jobs on any number of replicas: each time of the schedule is served by one. */
export function createCron(deps: CronDeps, options: CronOptions = {}): Cron {
  const { database, random, log, metrics, jobs, idle } = deps;
  const { budgetMs = BUDGET_MS, leaseMs = LEASE_MS } = options;
  let closing = false;
  // One controller per run: on Workers a run must not touch objects of another event's run.
  const underWay = new Map<Promise<unknown>, AbortController>();
  measureSuccesses(metrics, database);

  const tracked = <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const stop = new AbortController();
    if (closing) stop.abort();
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(budgetMs)]);
    const running = work(signal).finally(() => underWay.delete(running));
    underWay.set(running, stop);
    return running;
  };
  const named = (name: string): ScheduledJob => {
    const found = jobs.find((job) => job.name === name);
    if (found === undefined) throw new UnknownJob(name);
    return found;
  };
  const attempt = async (
    scheduled: ScheduledJob,
    due: Date | null,
    signal: AbortSignal,
  ): Promise<RunResult> => {
    const job = scheduled.name;
    const lease = openLease(database, { name: job, ms: leaseMs });
    const runId = random.uuid();
    try {
      if (!(await begin(lease, { runId, due }))) return { outcome: 'skipped', job };
      const run = (lost: AbortSignal): Promise<JobDetail> =>
        scheduled.run({ signal: AbortSignal.any([signal, lost]), dryRun: false });
      return await work({ runId, lease }, run, log);
    } catch (error) {
      log.error('cron job not recorded', { job, reason: nameAndMessageOf(error) });
      return { outcome: 'failed', job, error };
    }
  };
  const start = (job: ScheduledJob, due: Date | null): Promise<RunResult> =>
    tracked((signal) => attempt(job, due, signal));
  return {
    patterns: [...new Set(jobs.map(({ pattern }) => pattern))],
    async tick(pattern, due) {
      const theirs = jobs.filter((job) => job.pattern === pattern);
      if (theirs.length === 0 && idle?.has(pattern) !== true) throw new UnknownSchedule(pattern);
      return Promise.all(theirs.map((job) => start(job, due)));
    },
    run: async (name) => start(named(name), null),
    preview: async (name) => {
      const job = named(name);
      return tracked((signal) => job.run({ signal, dryRun: true }));
    },
    async close() {
      closing = true;
      for (const stop of underWay.values()) stop.abort();
      await Promise.allSettled(underWay.keys());
    },
  };
}

async function work(
  { runId, lease }: { readonly runId: string; readonly lease: Lease },
  run: (lost: AbortSignal) => Promise<JobDetail>,
  log: Log,
): Promise<RunResult> {
  const job = lease.name;
  try {
    const detail = await renewed(lease, run);
    const held = await finish(lease, { runId, outcome: 'done', detail });
    log.info('cron job done', { job, ...detail });
    if (!held) log.warn('cron job outlived its lease', { job });
    return { outcome: 'done', job, detail };
  } catch (error) {
    const reason = nameAndMessageOf(error);
    log.error('cron job failed', { job, reason });
    // While the database is away the lease expires, and the next run records this one as lost.
    await finish(lease, { runId, outcome: 'failed', detail: { error: reason } }).catch(() => undefined);
    return { outcome: 'failed', job, error };
  }
}

/** Read from the database, so that every replica shows the runs of all; while it is away, /metrics omits them. */
function measureSuccesses(metrics: Metrics, database: Database): void {
  metrics.gauge(
    'sallyport_cron_last_success_timestamp_seconds',
    'When a job last ended well.',
    'job',
    async () => {
      const states = await readStates(database).catch(() => []);
      return new Map(
        states.flatMap(({ job, last_success_at: at }) => (at === null ? [] : [[job, at.getTime() / 1000]])),
      );
    },
  );
}

const MINUTE_MS = 60_000;

/** On Node this process keeps the schedule; on Workers the triggers of wrangler.toml do. Returns the stop function. */
export function startSchedule(cron: Cron, platform: Pick<Platform, 'schedule'>, clock: Clock): () => void {
  const stops = cron.patterns.map((pattern) =>
    platform.schedule(pattern, () => {
      void cron.tick(pattern, minuteOf(clock.now()));
    }),
  );
  return () => {
    for (const stop of stops) stop();
  };
}

/** Replicas wake some milliseconds apart for the same time of the schedule. */
function minuteOf(now: number): Date {
  return new Date(Math.floor(now / MINUTE_MS) * MINUTE_MS);
}
