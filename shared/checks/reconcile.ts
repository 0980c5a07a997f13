import * as z from 'zod';
import { sql, type Database } from '../ports/database.ts';
import { green, NotSetUp, red, yellow, type Finding } from './check.ts';

/** The schedule has it every five minutes. */
const SOON_S = 900;
const LATE_S = 1_800;

const Row = z.object({
  seconds: z.number().nullable(),
  /** Since the first run of any job that is on record. */
  known: z.number().nullable(),
  outcome: z.string().nullable(),
  detail: z
    .looseObject({
      state: z.string().optional(),
      complete: z.boolean().optional(),
      error: z.string().optional(),
    })
    .nullable(),
});

/** How long ago the events whose delivery was missed were last fetched to the end. Throws NotSetUp where nothing fetches them, and as `Database`. */
export async function reconcileLag(database: Pick<Database, 'query'>): Promise<Finding> {
  const [row] = await database.query(
    sql`select extract(epoch from now() - lease.last_success_at)::float8 as seconds, run.outcome, run.detail,
          extract(epoch from now() - (select min(started_at) from sallyport_cron_runs))::float8 as known
        from (values (0)) one
        left join sallyport_leases lease on lease.name = 'webhooks-reconcile'
        left join lateral (
          select outcome, detail from sallyport_cron_runs
          where job = lease.name and outcome is not null order by started_at desc limit 1
        ) run on true`,
    Row,
  );
  const { seconds = null, known = null, outcome = null, detail = null } = row ?? {};
  if (seconds === null && outcome === null) {
    if (known !== null && known < LATE_S)
      return yellow('missed events have not been fetched yet: the regular jobs have only begun');
    return red('missed events have never been fetched: no process runs the regular jobs');
  }
  if (detail?.state?.startsWith('not configured') === true) throw new NotSetUp(detail.state);
  const why = detail?.error === undefined ? '' : `: ${detail.error.slice(0, 200)}`;
  if (seconds === null) return red(`missed events were never fetched to the end${why}`);
  const cause = `missed events were fetched ${Math.floor(seconds / 60)} minutes ago${seconds > SOON_S ? why : ''}`;
  if (seconds > LATE_S) return red(cause);
  if (detail?.complete === false)
    return yellow(`${cause}, and not yet to the newest one`, 'sallyport cron run webhooks-reconcile');
  return seconds > SOON_S ? yellow(cause) : green(cause);
}
