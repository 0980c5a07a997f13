import { functionsOn, scheduleOf } from '../../functions/catalogue.ts';
import { createCron, type RunResult } from '../../functions/cron/cron.ts';
import { readStates, type JobState } from '../../functions/cron/runs.ts';
import { standaloneJob } from '../../functions/jobs.ts';
import { openAuthorization, openCounting, openMailServer } from '../../shared/deps.ts';
import type { JobDetail, JobGround, JobRun } from '../../shared/runs/job.ts';
import { Failure, UsageError } from '../failure.ts';
import { withGround, type CommandGround } from '../ground.ts';
import { colors, environment, print, printJson } from '../terminal.ts';
import { withInbox } from '../webhooks/connect.ts';

export interface Output {
  readonly json?: boolean;
}

export interface RunCommand extends Output {
  readonly dryRun?: boolean;
}

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
  const standalone = await standaloneJob(name, environment);
  if (standalone === undefined) throw new UsageError(`there is no job ${name}: see \`sallyport cron list\``);
  const detail = await withGround(standalone, async ({ open }, ground) => {
    const { job, close } = open(portsOf(ground));
    const jobs = [{ name, pattern: '', run: (run: JobRun) => job.run(run) }];
    const cron = createCron({ ...ground, metrics: ground.platform.metrics, jobs });
    try {
      return dryRun ? await cron.preview(name) : detailOf(await cron.run(name));
    } finally {
      await cron.close();
      await close?.();
    }
  });
  if (json === true) printJson({ job: name, dry_run: dryRun, ...detail });
  else print(`${name}: ${dryRun ? 'nothing was changed' : 'done'} ${JSON.stringify(detail)}`);
}

function portsOf(ground: CommandGround): JobGround {
  return {
    ...ground,
    openCounting: (config) => openCounting(config, ground),
    openAuthorization: (config) => openAuthorization(config, ground),
    openMailServer: (config) => openMailServer(config, ground),
  };
}

function detailOf(result: RunResult): JobDetail {
  if (result.outcome === 'skipped') throw new Failure(`${result.job} is running elsewhere`);
  if (result.outcome === 'failed') throw result.error;
  return result.detail;
}
