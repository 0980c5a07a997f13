import * as z from 'zod';
import { sql, type Database } from '../../shared/database.ts';

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
