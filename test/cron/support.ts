import { randomUUID } from 'node:crypto';
import type { Cron, CronDeps, CronOptions } from '../../functions/cron/cron.ts';
import { scheduleOf } from '../../functions/catalogue.ts';
import { createCron } from '../../functions/cron/cron.ts';
import { WEBHOOKS } from '../../functions/webhooks/slice.ts';
import type { Job } from '../../shared/runs/job.ts';
import type { Database } from '../../shared/ports/database.ts';
import type { MaybePromise } from '../../shared/ports/runtime.ts';

// One job for each pattern.
const SCHEDULE = scheduleOf([WEBHOOKS]);

export const at = (time: string): Date => new Date(`2030-01-01T${time}Z`);

/** A promise that the test settles, and what it was settled with. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

export interface Replica {
  readonly cron: Cron;
  readonly lines: readonly { readonly message: string; readonly job?: unknown; readonly reason?: unknown }[];
  readonly gauge: () => MaybePromise<ReadonlyMap<string, number>>;
}

/** One process of many: its own scheduler and pool, the database shared. `apply` stands for the job of every minute. */
export function replica(
  database: Database,
  apply: Job['run'],
  options: CronOptions = {},
  more: Partial<CronDeps> = {},
): Replica {
  const lines: { message: string }[] = [];
  const write = (message: string, fields?: object): void => void lines.push({ message, ...fields });
  let gauge: Replica['gauge'] = () => new Map();
  const run: Job['run'] = async () => ({});
  const jobs = SCHEDULE.map(({ job: name, pattern }) => ({ name, pattern, run }));
  const deps: CronDeps = {
    database,
    jobs: jobs.map((job) => (job.name === 'webhooks-apply' ? { ...job, run: apply } : job)),
    random: { uuid: randomUUID, hex: () => '' },
    log: { debug: write, info: write, warn: write, error: write },
    metrics: {
      request: () => undefined,
      gauge: (_name, _help, _label, values) => void (gauge = values),
      counter: () => () => undefined,
      render: async () => ({ contentType: '', body: '' }),
    },
  };
  return { cron: createCron({ ...deps, ...more }, options), lines, gauge: () => gauge() };
}
