import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { sql } from '../../../shared/ports/database.ts';
import { runChild } from '../../children/child.ts';
import { postgresVariables } from '../../children/postgres.ts';
import { postgresProgram } from '../../children/programs.ts';
import { Failure } from '../../failure.ts';
import { countDump } from '../dump/inspect.ts';
import { openDump, READ_MS } from '../dump/source.ts';
import { applicationOf, type Run } from './run.ts';
import { countTables, differences, withDatabaseOf } from './target.ts';

export const BACKUP_FILE = 'target.dump';
/** Fast to write; on the disk for as long as its run. */
const COMPRESSION = 1;

/**
 * Backs the target up into the run's folder, and proves the backup: read to its end, it holds the rows that the tables had at its
 * moment. Throws Failure, and leaves no part of a file.
 */
export async function backUp(run: Run): Promise<Readonly<Record<string, unknown>>> {
  const { facts, journal, server } = run;
  if (facts.oid === null) return { says: `there is no database ${facts.target} yet: nothing to back up` };
  const file = join(journal.folder, BACKUP_FILE);
  await rm(file, { force: true });
  // pg_dump keeps the mode of a file that is there.
  await writeFile(file, '', { mode: 0o600 });
  try {
    const counts = await withDatabaseOf(server, facts.target, async (session) => {
      await session.script('begin isolation level repeatable read, read only');
      const [row] = await session.query(
        sql`select pg_export_snapshot() as snapshot`,
        z.object({ snapshot: z.string() }),
      );
      if (row === undefined) throw new Failure('Postgres exports no snapshot');
      const [counted] = await Promise.all([countTables(session), dumpTo(run, file, row.snapshot)]);
      return counted;
    });
    const kept = await countDump(await openDump(file), { signal: run.signal, onStart: journal.onStart });
    const differing = differences(kept, counts, { wanted: 'in the backup', found: 'in the database' });
    const lacking = [...counts.keys()].filter((table) => !kept.has(table));
    if (differing.length + lacking.length > 0)
      throw new Failure(
        `the backup does not hold what the database does: ${[...differing, ...lacking].slice(0, 5).join('; ')}`,
      );
    const { size } = await stat(file);
    return { file, bytes: size, tables: Object.fromEntries(counts), says: `${file}, read back and counted` };
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}

async function dumpTo(
  { facts, journal, server, signal }: Run,
  file: string,
  snapshot: string,
): Promise<void> {
  const { path } = await postgresProgram('pg_dump', server.major);
  await runChild({
    program: path,
    args: [
      '--format=custom',
      `--compress=${COMPRESSION}`,
      '--no-password',
      `--snapshot=${snapshot}`,
      `--file=${file}`,
    ],
    variables: postgresVariables(server.url, 'ZITADEL_DATABASE_URL', {
      database: facts.target,
      applicationName: applicationOf(journal.run),
    }),
    timeoutMs: READ_MS,
    signal,
    log: journal.log,
    onStart: journal.onStart,
  });
}
