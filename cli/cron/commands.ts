import { authJobs } from '../../functions/auth/jobs.ts';
import type { AUTH } from '../../functions/auth/slice.ts';
import { functionsOn, scheduleOf } from '../../functions/catalogue.ts';
import { createCron, type RunResult } from '../../functions/cron/cron.ts';
import { readStates, type JobState } from '../../functions/cron/runs.ts';
import { openInbox, openMarks } from '../../functions/webhooks/function.ts';
import { applyJob, pruneJob, reconcileJob, remarkJob } from '../../functions/webhooks/jobs.ts';
import { GRANTS, type WEBHOOKS } from '../../functions/webhooks/slice.ts';
import { ZITADEL } from '../../shared/configuration/issuers.ts';
import type { Slice } from '../../shared/configuration/slice.ts';
import { COUNTERS, OPENFGA } from '../../shared/configuration/stores.ts';
import { openAuthorization, openCounting } from '../../shared/deps.ts';
import type { Job, JobDetail, JobRun } from '../../shared/runs/job.ts';
import { Failure, UsageError } from '../failure.ts';
import { withGround, type CommandGround } from '../ground.ts';
import { colors, environment, print, printJson } from '../terminal.ts';
import { DATABASE_URL } from '../variables.ts';
import { withInbox } from '../webhooks/connect.ts';

export interface Output {
  readonly json?: boolean;
}

export interface RunCommand extends Output {
  readonly dryRun?: boolean;
}

/** A job beside no gateway: what to let go of after it. */
interface Alone {
  readonly job: Job;
  readonly close?: () => void;
}

type Runner = (work: (job: Job, ground: CommandGround) => Promise<JobDetail>) => Promise<JobDetail>;

/** A job and the slices it uses, so that it requires only their variables. */
function alone<Part extends object>(
  slice: Slice<Part>,
  open: (config: Part, ground: CommandGround) => Alone,
): Runner {
  return (work) =>
    withGround(slice, async (config, ground) => {
      const { job, close } = open(config, ground);
      try {
        return await work(job, ground);
      } finally {
        close?.();
      }
    });
}

const forget = (): void => undefined;

const JOBS: Readonly<Record<keyof typeof WEBHOOKS.schedule | keyof typeof AUTH.schedule, Runner>> = {
  'webhooks-apply': alone(OPENFGA.and(ZITADEL).and(COUNTERS).and(GRANTS), (config, ground) => {
    const { zitadel } = config;
    if (zitadel === null) return { job: applyJob(null, ground) };
    const counting = openCounting(config, ground);
    const deps = { ...ground, ...counting, ...openAuthorization(config, ground), config, forget };
    return { job: applyJob(openInbox(zitadel, ground.database, deps), ground), close: counting.disconnect };
  }),
  'webhooks-reconcile': alone(ZITADEL, (config, ground) => ({ job: reconcileJob({ ...ground, config }) })),
  'revocations-remark': alone(ZITADEL.and(COUNTERS), (config, ground) => {
    const { zitadel } = config;
    if (zitadel === null) return { job: remarkJob(null) };
    const counting = openCounting(config, ground);
    const marks = openMarks(zitadel.issuer, ground.database, { ...ground, ...counting, forget });
    return { job: remarkJob(marks), close: counting.disconnect };
  }),
  'webhooks-prune': alone(DATABASE_URL, (_config, ground) => ({ job: pruneJob(ground) })),
  'sessions-prune': alone(DATABASE_URL, (_config, ground) => ({ job: authJobs(ground)['sessions-prune'] })),
  'audit-prune': alone(DATABASE_URL, (_config, ground) => ({ job: authJobs(ground)['audit-prune'] })),
};

/** Prints each job, its schedule and its last run. */
export async function runList({ json }: Output): Promise<void> {
  const states = await withInbox(readStates);
  const byJob = new Map(states.map((state) => [state.job, state]));
  const schedule = scheduleOf(functionsOn(environment));
  const jobs = schedule.map(({ pattern, job }) => ({ job, schedule: pattern, ...byJob.get(job) }));
  if (json === true) printJson(jobs);
  else for (const { job, schedule } of jobs) print(lineOf(job, schedule, byJob.get(job)));
}

function lineOf(job: string, schedule: string, state: JobState | undefined): string {
  const started = state?.last_started_at.toISOString();
  const outcome = state?.running === true ? 'running' : (state?.last_outcome ?? 'cut off');
  const last =
    started === undefined ? 'never ran' : `${outcome} ${started} ${JSON.stringify(state?.last_detail)}`;
  return `${job.padEnd(20)} ${schedule.padEnd(13)} ${colors.dim(last)}`;
}

/** Runs one job now, or prints what it would do. */
export async function runJob(name: string, { dryRun = false, json }: RunCommand): Promise<void> {
  if (!isJob(name)) throw new UsageError(`there is no job ${name}: see \`sallyport cron list\``);
  const detail = await JOBS[name](async (job, ground) => {
    const jobs = [{ name, pattern: '', run: (run: JobRun) => job.run(run) }];
    const cron = createCron({ ...ground, metrics: ground.platform.metrics, jobs });
    try {
      return dryRun ? await cron.preview(name) : detailOf(await cron.run(name));
    } finally {
      await cron.close();
    }
  });
  if (json === true) printJson({ job: name, dry_run: dryRun, ...detail });
  else print(`${name}: ${dryRun ? 'nothing was changed' : 'done'} ${JSON.stringify(detail)}`);
}

function isJob(name: string): name is keyof typeof JOBS {
  return Object.hasOwn(JOBS, name);
}

function detailOf(result: RunResult): JobDetail {
  if (result.outcome === 'skipped') throw new Failure(`${result.job} is running elsewhere`);
  if (result.outcome === 'failed') throw result.error;
  return result.detail;
}
