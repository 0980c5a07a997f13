import { AUDIT_DAYS } from '../../shared/people/audit.ts';
import { sql, type Database, type Sql } from '../../shared/ports/database.ts';
import type { Job, JobRun } from '../../shared/runs/job.ts';
import type { AUTH } from './slice.ts';

/** Days that a session is kept after its end: whoever asks whether passwords were used of late counts them. */
export const SESSION_DAYS = 31;
/** Rows per statement, bounded by its time-out; statements per run, bounded by what a Worker may do. */
const ROWS = 5_000;
const STATEMENTS = 20;

type Needs = Pick<Database, 'execute'>;

/** Regular deletions. All of them may be repeated, and go on where they were cut off. */
export function authJobs({
  database,
}: {
  readonly database: Needs;
}): Readonly<Record<keyof typeof AUTH.schedule, Job>> {
  return {
    'sessions-prune': {
      async run(run) {
        return {
          sessions: await pruned(database, run, overdueSessions),
          spent: await pruned(database, run, (rows) => expired(sql`sallyport_spent`, sql`key`, rows)),
          registrations: await pruned(database, run, (rows) =>
            expired(sql`sallyport_registrations`, sql`token_hash`, rows),
          ),
          resets: await pruned(database, run, (rows) =>
            expired(sql`sallyport_resets`, sql`token_hash`, rows),
          ),
        };
      },
    },
    'audit-prune': {
      run: async (run) => ({ rows: await pruned(database, run, overdueAudit) }),
    },
  };
}

/** Deletes in batches; a dry run deletes nothing. */
async function pruned(
  database: Needs,
  { signal, dryRun }: JobRun,
  batch: (rows: number) => Sql,
): Promise<number> {
  let total = 0;
  for (let left = STATEMENTS; left > 0 && !signal.aborted && !dryRun; left -= 1) {
    const deleted = await database.execute(batch(ROWS));
    total += deleted;
    if (deleted < ROWS) break;
  }
  return total;
}

/** Of the legacy application too: sessions that ended, or could be refreshed, before the time that they are kept. */
function overdueSessions(rows: number): Sql {
  return sql`delete from sessions where session_id = any(array(
    select session_id from sessions where refresh_token_expires_at < now() - interval '1 day' * ${SESSION_DAYS}::int
      and created_at < now() - interval '1 day' * ${SESSION_DAYS}::int
    order by refresh_token_expires_at limit ${rows} for update skip locked))`;
}

function expired(table: Sql, key: Sql, rows: number): Sql {
  return sql`delete from ${table} where ${key} = any(array(
    select ${key} from ${table} where expires_at < now() order by expires_at limit ${rows} for update skip locked))`;
}

function overdueAudit(rows: number): Sql {
  return sql`delete from sallyport_audit where id = any(array(
    select id from sallyport_audit where at < now() - interval '1 day' * ${AUDIT_DAYS}::int order by at limit ${rows}
    for update skip locked))`;
}
