import { createApp } from '../../functions/app.ts';
import type { Cron } from '../../functions/cron/cron.ts';
import { readStates, type JobState } from '../../functions/cron/runs.ts';
import { SCHEDULE } from '../../functions/catalogue.ts';
import type { WEBHOOKS } from '../../functions/webhooks/slice.ts';
import type { Deps } from '../../shared/deps.ts';
import { Failure, missing, UsageError } from '../failure.ts';
import { colors, print, printJson } from '../terminal.ts';
import { withInbox } from '../webhooks/connect.ts';
import { withDeps, type Uses } from '../with-deps.ts';

export interface Output {
  readonly json?: boolean;
}

export interface RunCommand extends Output {
  readonly dryRun?: boolean;
}

/** So that a job requires only the variables it uses. */
const USES: Readonly<Record<keyof typeof WEBHOOKS.schedule, Uses>> = {
  'webhooks-apply': 'everything',
  'webhooks-reconcile': 'events',
  'revocations-remark': 'marks',
  'webhooks-prune': 'database',
};

/** Prints each job, its schedule and its last run. */
export async function runList({ json }: Output): Promise<void> {
  const states = await withInbox(readStates);
  const byJob = new Map(states.map((state) => [state.job, state]));
  const jobs = SCHEDULE.map(({ pattern, job }) => ({ job, schedule: pattern, ...byJob.get(job) }));
  if (json === true) printJson(jobs);
  else for (const { job, schedule } of jobs) print(lineOf(job, schedule, byJob.get(job)));
}

function lineOf(job: string, schedule: string, state: JobState | undefined): string {
  const started = state?.last_started_at?.toISOString();
  const outcome = state?.running === true ? 'running' : (state?.last_outcome ?? 'cut off');
  const last =
    started === undefined ? 'never ran' : `${outcome} ${started} ${JSON.stringify(state?.last_detail)}`;
  return `${job.padEnd(20)} ${schedule.padEnd(13)} ${colors.dim(last)}`;
}

/** Runs one job now, or prints what it would do. */
export async function runJob(name: string, { dryRun = false, json }: RunCommand): Promise<void> {
  if (!isJob(name)) throw new UsageError(`there is no job ${name}: see \`sallyport cron list\``);
  const detail = await withDeps(USES[name], (deps) =>
    withCron(deps, (cron) => (dryRun ? cron.preview(name) : now(cron, name))),
  );
  if (json === true) printJson({ job: name, dry_run: dryRun, ...detail });
  else print(`${name}: ${dryRun ? 'nothing was changed' : 'done'} ${JSON.stringify(detail)}`);
}

function isJob(name: string): name is keyof typeof USES {
  return Object.hasOwn(USES, name);
}

async function withCron<T>(deps: Deps, work: (cron: Cron) => Promise<T>): Promise<T> {
  const { cron, gateway } = createApp(deps, () => '');
  if (cron === null) throw missing('DATABASE_URL');
  try {
    return await work(cron);
  } finally {
    gateway.close();
    await cron.close();
  }
}

async function now(cron: Cron, name: string) {
  const result = await cron.run(name);
  if (result.outcome === 'skipped') throw new Failure(`${name} is running elsewhere`);
  if (result.outcome === 'failed') throw result.error;
  return result.detail;
}
