import * as z from 'zod';
import { pause } from '../../../shared/ports/runtime.ts';
import type { DatabaseSession } from '../../../shared/database/session.ts';
import { sql } from '../../../shared/ports/database.ts';
import { runChild, type ChildCall } from '../../children/child.ts';
import { connectionTo, postgresVariables } from '../../children/postgres.ts';
import { postgresProgram, type Program } from '../../children/programs.ts';
import { Failure } from '../../failure.ts';
import { note } from '../../terminal.ts';
import { readScript, READ_MS, type DumpSource } from '../dump/source.ts';
import { applicationOf, type Run } from './run.ts';
import { dropDatabase, findDatabase, type Server } from './server.ts';
import { sizeOf } from './size.ts';
import { withDatabaseOf } from './target.ts';
import { fillTable, partsOf } from './spread.ts';
import { createLike } from './template.ts';

/** Where a dump goes, and what is known of it. */
export interface Restoring {
  readonly source: DumpSource;
  readonly restrictKey: string | null;
  readonly into: string;
  /** The database that the new one is like. */
  readonly like: string;
  readonly owner: string;
  /** The dump names no owners: everything belongs to `owner`. */
  readonly ownerless: boolean;
  /** Rows by table, as in `projections.users14`. */
  readonly tables: ReadonlyMap<string, number>;
}

/** Of a database that nobody uses yet; what it holds is durable with the first commit that waits for the disk. */
const SETTINGS = {
  synchronous_commit: 'off',
  client_min_messages: 'warning',
  // Whatever the database that it is like has.
  default_transaction_read_only: 'off',
};

/** Makes the database `into`, removing one of that name, and fills it. */
export async function restoreInto(run: Run, restoring: Restoring): Promise<void> {
  const { server } = run;
  await endLeftovers(server, run.journal.run);
  await dropDatabase(server, restoring.into);
  await createLike(server, restoring.into, restoring.like, restoring.owner);
  try {
    await watched(server, restoring.into, () =>
      restoring.source.pgRestore > 0 ? byPgRestore(run, restoring) : byPsql(run, restoring),
    );
    await withDatabaseOf(server, restoring.into, withStatistics);
  } catch (error) {
    // A full disk is the target's too.
    await dropDatabase(server, restoring.into).catch(() => undefined);
    throw error;
  }
}

/** The planner needs statistics. Autovacuum makes them within a minute of the restore, where it runs. */
async function withStatistics(session: DatabaseSession): Promise<void> {
  const [vacuum] = await session.query(
    sql`select current_setting('autovacuum')::boolean and current_setting('track_counts')::boolean as runs`,
    z.object({ runs: z.boolean() }),
  );
  if (vacuum?.runs !== true) await session.script('analyze');
}

/** Of children that a killed process has left; those here were ended with the journal, those of another machine end now. */
async function endLeftovers({ session }: Server, run: string): Promise<void> {
  await session.query(
    sql`select pg_terminate_backend(pid) as ended from pg_stat_activity where application_name = ${applicationOf(run)}`,
    z.object({ ended: z.boolean() }),
  );
}

function childOf(run: Run, program: Program, { into, owner, ownerless }: Restoring): Omit<ChildCall, 'args'> {
  return {
    program: program.path,
    variables: postgresVariables(run.server.url, 'ZITADEL_DATABASE_URL', {
      database: into,
      applicationName: applicationOf(run.journal.run),
      settings: { ...SETTINGS, ...(ownerless && { role: owner }) },
    }),
    timeoutMs: READ_MS,
    signal: run.signal,
    log: run.journal.log,
    onStart: run.journal.onStart,
  };
}

/** With fewer processors dealing the rows out costs more than it saves: measured on two. */
const SPREAD_JOBS = 4;

async function byPgRestore(run: Run, restoring: Restoring): Promise<void> {
  const { source, into, tables } = restoring;
  const program = await postgresProgram('pg_restore', Math.max(source.pgRestore, run.server.major));
  const call = childOf(run, program, restoring);
  const { jobs } = run;
  const from = [`--format=${source.format}`, source.file];
  const always = ['--exit-on-error', '--no-password', `--dbname=${connectionTo(into)}`];
  const restore = (...args: readonly string[]) => runChild({ ...call, args: [...always, ...args, ...from] });
  const list = (): Promise<string> => runChild({ ...call, args: ['--list', ...from] });
  const parts = jobs < SPREAD_JOBS ? null : await partsOf(await list(), tables, run.journal.folder);
  if (parts === null || parts.large.length === 0) {
    await restore(`--jobs=${jobs}`);
    return;
  }
  const { large, others } = parts;
  const psql = await postgresProgram('psql', run.server.major);
  await restore('--section=pre-data');
  await restore('--section=data', `--use-list=${others}`, `--jobs=${jobs}`);
  for (const part of large) {
    const script = { ...call, args: ['--data-only', `--use-list=${part}`, '--file=-', ...from] };
    await fillTable({ script, psql, load: call, sessions: jobs });
  }
  await restore('--section=post-data', `--jobs=${jobs}`);
}

async function byPsql(run: Run, restoring: Restoring): Promise<void> {
  const { source, restrictKey } = restoring;
  const program = await postgresProgram('psql', run.server.major);
  const args = [
    '--no-psqlrc',
    '--quiet',
    '--no-password',
    '--set=ON_ERROR_STOP=1',
    ...restricted(program, restrictKey),
  ];
  const call = childOf(run, program, restoring);
  if (source.format === 'plain') {
    await runChild({ ...call, args: [...args, `--file=${source.file}`] });
    return;
  }
  const { signal } = run;
  await readScript(source, { signal, onStart: run.journal.onStart }, (script) =>
    runChild({ ...call, args: [...args, '--file=-'], input: script }),
  );
}

/** The first minor releases whose psql has \restrict. */
const RESTRICT_SINCE: Readonly<Record<number, number>> = { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 };

/** psql carries out no command of its own that is in the dump, where it can be kept from that. Dumps with \restrict do that themselves. */
function restricted({ major, version }: Program, own: string | null): readonly string[] {
  const since = RESTRICT_SINCE[major];
  const minor = Number(version.split('.')[1] ?? 0);
  const able = since === undefined ? major > 17 : minor >= since;
  if (own !== null && !able)
    throw new Failure(
      `the dump needs a newer psql than ${version}: it holds \\restrict. Update the client programs of PostgreSQL`,
    );
  return own === null && able ? ['--command=\\restrict sallyport'] : [];
}

const TELL_MS = 10_000;

/** A line on stderr every ten seconds. */
async function watched(server: Server, database: string, work: () => Promise<void>): Promise<void> {
  const over = new AbortController();
  const telling = (async () => {
    for (;;) {
      await pause(TELL_MS, over.signal);
      if (over.signal.aborted) return;
      const found = await findDatabase(server, database);
      if (found !== undefined) note(`  ${database}: ${sizeOf(found.bytes)}`);
    }
  })();
  try {
    await work();
  } finally {
    over.abort();
    await telling.catch(() => undefined);
  }
}
