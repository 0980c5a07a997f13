import type { Readable } from 'node:stream';
import * as z from 'zod';
import type { DatabaseSession } from '../../shared/database/session.ts';
import { parseDatabaseUrl } from '../../shared/database/url.ts';
import { sql } from '../../shared/ports/database.ts';
import { readChild, type ChildCall } from '../children/child.ts';
import { connectionTo, databaseOf, postgresVariables, withDatabase } from '../children/postgres.ts';
import { postgresProgram, type Program } from '../children/programs.ts';
import { openSession } from '../deps.ts';
import { Failure } from '../failure.ts';
import { interruption } from '../terminal.ts';
import { serverFailure } from '../zitadel/import/server.ts';
import { countTables, differences } from '../zitadel/import/target.ts';
import type { DatabaseName, DatabasePart } from './layout.ts';

/** One of the databases, where its variable leads. */
export interface Target {
  readonly name: DatabaseName;
  /** As in ZITADEL_DATABASE_URL. */
  readonly variable: string;
  readonly url: string;
}

/** By which sessions of backups are found in pg_stat_activity. */
export const APPLICATION = 'sallyport backup';
/** For the longest dump or restore of one database. */
export const LONGEST_MS = 24 * 3_600_000;
const LOCK_WAIT = '60s';
/** pg_dump reads the catalogue for seconds, waits for a lock for a minute, and writes from then on. */
const STALL_MS = 600_000;

export const shownOf = ({ url }: Pick<Target, 'url'>): string => parseDatabaseUrl(url).shown;

/** The same server and role, another database. */
export const inDatabase = (target: Target, database: string): Target => ({
  ...target,
  url: withDatabase(target.url, database),
});

/** A session for one piece of work; Ctrl-C cancels its running statement. Throws Failure with the address. */
export async function withTarget<T>(
  target: Target,
  work: (session: DatabaseSession) => Promise<T>,
): Promise<T> {
  const signal = interruption();
  try {
    const session = await openSession(target.url);
    const cancel = (): void => {
      session.cancel().catch(() => undefined);
    };
    signal.addEventListener('abort', cancel);
    try {
      // It may have come while the session was opened.
      signal.throwIfAborted();
      return await work(session);
    } finally {
      signal.removeEventListener('abort', cancel);
      await session.close().catch(() => undefined);
    }
  } catch (error) {
    throw serverFailure(error, shownOf(target), target.variable);
  }
}

const Facts = z.object({
  database: z.string(),
  server: z.string(),
  major: z.number(),
  owner: z.string(),
  roles: z.array(z.string()),
  settings: z.array(z.string()),
});

/** Of the database that the session is in. */
async function factsOf(session: DatabaseSession): Promise<z.output<typeof Facts>> {
  // pg_shdepend has who owns something there and whom something was granted to, but for the role that made the cluster.
  const [facts] = await session.query(
    sql`select d.datname::text as database, split_part(current_setting('server_version'), ' ', 1) as server,
          current_setting('server_version_num')::int / 10000 as major, pg_get_userbyid(d.datdba)::text as owner,
          array(select distinct r.rolname::text from pg_shdepend s join pg_roles r on r.oid = s.refobjid
            where s.dbid = d.oid and s.refclassid = 'pg_authid'::regclass order by 1) as roles,
          coalesce((select setconfig from pg_db_role_setting where setdatabase = d.oid and setrole = 0), '{}') as settings
        from pg_database d where d.datname = current_database()`,
    Facts,
  );
  if (facts === undefined) throw new Failure('the database is gone');
  return facts;
}

export type Dumped = Pick<
  DatabasePart,
  'database' | 'from' | 'server' | 'client' | 'owner' | 'roles' | 'settings' | 'rows'
>;

type Child = Pick<ChildCall, 'log' | 'onStart'>;

/**
 * Dumps a database in pg_dump's custom format; `take` reads its bytes. Rows are counted in the very snapshot that is dumped, so that
 * what is restored has to have as many. Throws Failure.
 */
export function dumpDatabase(
  target: Target,
  { log, onStart }: Child,
  take: (dump: Readable) => Promise<void>,
): Promise<Dumped> {
  return withTarget(target, async (session) => {
    await session.script(
      `begin isolation level repeatable read, read only; set local lock_timeout = '${LOCK_WAIT}'`,
    );
    const { major, ...facts } = await factsOf(session);
    const program = await postgresProgram('pg_dump', major);
    const snapshot = await exportedSnapshot(session);
    const dumping = readChild({ ...callOf(target, program, snapshot), log, onStart }, take);
    const rows = Object.fromEntries(await countedWith(dumping, session));
    return { ...facts, from: shownOf(target), client: program.major, rows };
  });
}

function callOf(target: Target, { path }: Program, snapshot: string): ChildCall {
  return {
    program: path,
    args: [
      '--format=custom',
      `--snapshot=${snapshot}`,
      `--lock-wait-timeout=${LOCK_WAIT}`,
      '--no-password',
      `--dbname=${connectionTo(databaseOf(target.url))}`,
    ],
    variables: postgresVariables(target.url, target.variable, { applicationName: APPLICATION }),
    timeoutMs: LONGEST_MS,
    stallMs: STALL_MS,
    signal: interruption(),
  };
}

/** Counts beside a dump, and ends with it. Throws the error that came first. */
async function countedWith(
  dumping: Promise<void>,
  session: DatabaseSession,
): Promise<ReadonlyMap<string, number>> {
  const counting = new AbortController();
  const counts = countTables(until(counting.signal, session));
  const failed: ('dump' | 'counts')[] = [];
  dumping.catch(() => {
    failed.push('dump');
    counting.abort();
    // A server that does not answer cancels nothing.
    session.cancel().catch(() => session.close().catch(() => undefined));
  });
  // A transaction that fails takes its snapshot along, which the dump may not have begun to read: its own fault would say less.
  counts.catch(() => failed.push('counts'));
  const [counted, dumped] = await Promise.allSettled([counts, dumping]);
  if (counted.status === 'rejected' && failed[0] === 'counts') throw counted.reason;
  if (dumped.status === 'rejected') throw dumped.reason;
  if (counted.status === 'rejected') throw counted.reason;
  return counted.value;
}

/** The same session, which begins no further query once it is aborted. */
function until(signal: AbortSignal, session: DatabaseSession): Pick<DatabaseSession, 'query'> {
  return {
    query: (statement, row) => {
      signal.throwIfAborted();
      return session.query(statement, row);
    },
  };
}

async function exportedSnapshot(session: DatabaseSession): Promise<string> {
  const [row] = await session.query(
    sql`select pg_export_snapshot() as snapshot`,
    z.object({ snapshot: z.string() }),
  );
  if (row === undefined) throw new Failure('Postgres exports no snapshot');
  return row.snapshot;
}

/** Throws Failure where a table of a database has not the rows of the manifest. */
export async function assertRows(target: Target, { name, rows }: DatabasePart): Promise<void> {
  const found = await withTarget(target, (session) => countTables(session));
  const names = { wanted: 'in the manifest', found: 'restored' };
  const differing = differences(new Map(Object.entries(rows)), found, names);
  if (differing.length === 0) return;
  throw new Failure(
    `${name}: what was restored is not what was dumped: ${differing.slice(0, 10).join('; ')}`,
  );
}

export const totalOf = (rows: Readonly<Record<string, number>>): number =>
  Object.values(rows).reduce((sum, each) => sum + each, 0);
