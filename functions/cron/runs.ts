import * as z from 'zod';
import { json, sql, type Database } from '../../shared/ports/database.ts';
import { prove, type Proof } from '../../shared/proof.ts';
import type { JobDetail } from '../../shared/runs/job.ts';

export interface Claim {
  readonly job: string;
  readonly runId: string;
  /** The time of the schedule that is served; null for a run by hand. */
  readonly due: Date | null;
  readonly leaseSeconds: number;
}

/** Only who holds it may do the job's work. */
export type Lease = Proof<{ readonly job: string; readonly runId: string }, 'lease'>;

const asLease = prove<'lease'>();
const RunId = z.object({ run_id: z.string() });
const KEPT = '14 days';

/**
 * The lease and the record of its run, in one statement; undefined while another run holds the lease or has served this
 * time of the schedule. Time is the database's, the one clock that all replicas share.
 */
export async function claim(
  database: Database,
  { job, runId, due, leaseSeconds }: Claim,
): Promise<Lease | undefined> {
  const rows = await database.query(
    sql`
      with claimed as (
        insert into sallyport_cron_leases as lease (job, run_id, expires_at, due_at)
        values (${job}, ${runId}, now() + make_interval(secs => ${leaseSeconds}), ${due})
        on conflict (job) do update
          set run_id = excluded.run_id, expires_at = excluded.expires_at, due_at = coalesce(excluded.due_at, lease.due_at)
          where lease.expires_at <= now()
            and (excluded.due_at is null or lease.due_at is null or lease.due_at < excluded.due_at)
        returning job
      ), lost as (
        update sallyport_cron_runs set finished_at = now(), outcome = 'lost'
        where job in (select job from claimed) and outcome is null
      )
      insert into sallyport_cron_runs (run_id, job) select ${runId}::uuid, job from claimed
      returning run_id`,
    RunId,
  );
  return rows.length === 0 ? undefined : asLease({ job, runId });
}

export interface Ending {
  readonly outcome: 'done' | 'failed';
  readonly detail: JobDetail;
}

/** Records the end, lets go of the lease and forgets old runs, in one statement. False when the lease was lost meanwhile. */
export async function finish(
  database: Database,
  lease: Lease,
  { outcome, detail }: Ending,
): Promise<boolean> {
  const changed = await database.query(
    sql`
      with recorded as (
        update sallyport_cron_runs set finished_at = now(), outcome = ${outcome}, detail = ${json(detail)}
        where run_id = ${lease.runId} and outcome is null
      ), forgotten as (
        delete from sallyport_cron_runs
        where job = ${lease.job} and started_at < now() - ${KEPT}::interval
      )
      update sallyport_cron_leases
      set expires_at = now(), last_success_at = case when ${outcome} = 'done' then now() else last_success_at end
      where job = ${lease.job} and run_id = ${lease.runId}
      returning run_id`,
    RunId,
  );
  return changed.length > 0;
}

const JobState = z.object({
  job: z.string(),
  running: z.boolean(),
  last_success_at: z.date().nullable(),
  last_started_at: z.date().nullable(),
  last_finished_at: z.date().nullable(),
  last_outcome: z.string().nullable(),
  last_detail: z.unknown(),
});

export type JobState = z.output<typeof JobState>;

/** One row per job that has ever run. */
export function readStates(database: Database): Promise<JobState[]> {
  return database.query(
    sql`
      select lease.job, lease.expires_at > now() as running, lease.last_success_at, run.started_at as last_started_at,
        run.finished_at as last_finished_at, run.outcome as last_outcome, run.detail as last_detail
      from sallyport_cron_leases lease left join sallyport_cron_runs run using (run_id)`,
    JobState,
  );
}
