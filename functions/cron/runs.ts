import * as z from 'zod';
import { json, sql, type Database } from '../../shared/ports/database.ts';
import type { JobDetail } from '../../shared/runs/job.ts';
import type { Lease } from '../../shared/runs/lease.ts';

const KEPT = '14 days';

export interface Beginning {
  readonly runId: string;
  /** The time of the schedule that is served; null for a run by hand. */
  readonly due: Date | null;
}

/** Takes the job's lease and records the run, in one statement; false while another run holds it or has served this time. */
export function begin(lease: Lease, { runId, due }: Beginning): Promise<boolean> {
  const also = sql`, lost as (
      update sallyport_cron_runs set finished_at = now(), outcome = 'lost'
      where job = ${lease.name} and outcome is null and exists (select from taken)
    ), begun as (
      insert into sallyport_cron_runs (run_id, job) select ${runId}::uuid, ${lease.name} from taken
    )`;
  return lease.take({ runId, due, also });
}

export interface Ending {
  readonly runId: string;
  readonly outcome: 'done' | 'failed';
  readonly detail: JobDetail;
}

/** Records the end, releases the lease and deletes old records, in one statement. False when the lease was lost. */
export function finish(lease: Lease, { runId, outcome, detail }: Ending): Promise<boolean> {
  const also = sql`, recorded as (
      update sallyport_cron_runs set finished_at = now(), outcome = ${outcome}, detail = ${json(detail)}
      where run_id = ${runId} and outcome is null
    ), forgotten as (
      delete from sallyport_cron_runs where job = ${lease.name} and started_at < now() - ${KEPT}::interval
    )`;
  return lease.release({ well: outcome === 'done', also });
}

const JobState = z.object({
  job: z.string(),
  running: z.boolean(),
  last_success_at: z.date().nullable(),
  last_started_at: z.date(),
  last_finished_at: z.date().nullable(),
  last_outcome: z.string().nullable(),
  last_detail: z.unknown(),
});

export type JobState = z.output<typeof JobState>;

/** One row per job that has ever run. */
export function readStates(database: Pick<Database, 'query'>): Promise<JobState[]> {
  return database.query(
    sql`
      select run.job, lease.expires_at > now() as running, lease.last_success_at, run.started_at as last_started_at,
        run.finished_at as last_finished_at, run.outcome as last_outcome, run.detail as last_detail
      from sallyport_leases lease join sallyport_cron_runs run using (run_id)`,
    JobState,
  );
}
