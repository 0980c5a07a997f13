import { AUDIT_DAYS, type AuditedAct } from '../../shared/people/audit.ts';
import { sql, type Database, type Sql } from '../../shared/ports/database.ts';
import { databaseJob, type Job, type JobRun, type StandaloneJob } from '../../shared/runs/job.ts';
import type { AUTH } from './slice.ts';

/** Days that a session is kept after its end: reports on recent sign-ins by password count them. */
const SESSION_DAYS = 31;
/** Rows per statement, bounded by its time-out; statements per run, bounded by what a Worker may do. */
const ROWS = 5_000;
const STATEMENTS = 20;

type Needs = Pick<Database, 'execute'>;

/** Rows whose time is up. */
interface Overdue {
  readonly table: Sql;
  readonly key: Sql;
  readonly where: Sql;
  /** The indexed column by which the oldest are found. */
  readonly by: Sql;
  /** What a row loses, as assignments; absent: the row goes. */
  readonly reduced?: Sql;
}

const expired = { where: sql`expires_at < now()`, by: sql`expires_at` };
const daysAgo = (days: number): Sql => sql`now() - interval '1 day' * ${days}::int`;

/** Those of the legacy application too. */
const SESSIONS: Overdue = {
  table: sql`sessions`,
  key: sql`session_id`,
  where: sql`refresh_token_expires_at < ${daysAgo(SESSION_DAYS)} and created_at < ${daysAgo(SESSION_DAYS)}`,
  by: sql`refresh_token_expires_at`,
};
const SPENT: Overdue = { ...expired, table: sql`sallyport_spent`, key: sql`key` };
const REGISTRATIONS: Overdue = { ...expired, table: sql`sallyport_registrations`, key: sql`token_hash` };
const RESETS: Overdue = { ...expired, table: sql`sallyport_resets`, key: sql`token_hash` };
const FORGOTTEN: AuditedAct = 'forgotten';
/** Who was forgotten stays recorded: by that no archive of a clean-up brings them back. */
const AUDIT: Overdue = {
  table: sql`sallyport_audit`,
  key: sql`id`,
  where: sql`at < ${daysAgo(AUDIT_DAYS)} and what <> ${FORGOTTEN}::text`,
  by: sql`at`,
};

/** As long as the audit, so that a yearly review finds what a run did. A wave's links for unsubscribing and its survey work for a year. */
const RECORD_DAYS = AUDIT_DAYS;
/** Days that the address of a removed account is kept, to recognise late events by. */
const REMOVED_DAYS = 90;

const INVITATIONS: Overdue = {
  table: sql`sallyport_invitations`,
  key: sql`invitation_id`,
  where: sql`ended_at < ${daysAgo(RECORD_DAYS)}`,
  by: sql`created_at`,
};
/** `undone` and the like: nothing of an ended run is gone on with. The clean-up's is what its archive is known by. */
const OLD_RUNS = sql`select run_id from sallyport_runs where updated_at < ${daysAgo(RECORD_DAYS)}
  and kind <> 'cleanup' and state in ('done', 'refused', 'undone', 'restored')`;
const LEDGER: Overdue = {
  table: sql`sallyport_ledger`,
  key: sql`ctid`,
  where: sql`run_id in (${OLD_RUNS})`,
  by: sql`run_id`,
};
const RUNS: Overdue = {
  table: sql`sallyport_runs`,
  key: sql`run_id`,
  where: sql`run_id in (${OLD_RUNS}) and not exists (select from sallyport_ledger l where l.run_id = sallyport_runs.run_id)`,
  by: sql`updated_at`,
};
const TICKETS: Overdue = {
  table: sql`sallyport_tickets`,
  key: sql`id`,
  where: sql`at < ${daysAgo(RECORD_DAYS)}`,
  by: sql`at`,
};
const REMOVED: Overdue = {
  table: sql`sallyport_identities`,
  key: sql`ctid`,
  where: sql`state = 'removed' and updated_at < ${daysAgo(REMOVED_DAYS)} and (username is not null or email is not null)`,
  by: sql`updated_at`,
  reduced: sql`username = null, email = null`,
};

/** Regular deletions. All of them may be repeated, and go on where they were cut off. */
export function authJobs({
  database,
}: {
  readonly database: Needs;
}): Readonly<Record<keyof typeof AUTH.schedule, Job>> {
  return {
    'sessions-prune': {
      run: async (run) => ({
        sessions: await prune(SESSIONS, database, run),
        spent: await prune(SPENT, database, run),
        registrations: await prune(REGISTRATIONS, database, run),
        resets: await prune(RESETS, database, run),
      }),
    },
    'records-prune': {
      run: async (run) => ({
        invitations: await prune(INVITATIONS, database, run),
        ledger: await prune(LEDGER, database, run),
        runs: await prune(RUNS, database, run),
        tickets: await prune(TICKETS, database, run),
        removed_accounts: await prune(REMOVED, database, run),
      }),
    },
    'audit-prune': { run: async (run) => ({ rows: await prune(AUDIT, database, run) }) },
  };
}

/** Each uses less than sign-in does. */
export const STANDALONE: Readonly<Record<keyof typeof AUTH.schedule, StandaloneJob>> = {
  'sessions-prune': databaseJob((ground) => authJobs(ground)['sessions-prune']),
  'records-prune': databaseJob((ground) => authJobs(ground)['records-prune']),
  'audit-prune': databaseJob((ground) => authJobs(ground)['audit-prune']),
};

/** Returns how many rows were deleted, or would be. */
async function prune(overdue: Overdue, database: Needs, { signal, dryRun }: JobRun): Promise<number> {
  const { table, key, where, by, reduced } = overdue;
  const change = reduced === undefined ? sql`delete from ${table}` : sql`update ${table} set ${reduced}`;
  const oldest = (limit: number): Sql =>
    sql`select ${key} from ${table} where ${where} order by ${by} limit ${limit}`;
  if (dryRun) return database.execute(oldest(ROWS * STATEMENTS));
  let total = 0;
  for (let left = STATEMENTS; left > 0 && !signal.aborted; left -= 1) {
    // As an array, so that the planner finds each row by its key, however many there are.
    const deleted = await database.execute(
      sql`${change} where ${key} = any(array(${oldest(ROWS)} for update skip locked))`,
    );
    total += deleted;
    if (deleted < ROWS) break;
  }
  return total;
}
