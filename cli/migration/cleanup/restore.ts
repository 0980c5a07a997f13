import { createHash } from 'node:crypto';
import * as z from 'zod';
import { auditInsert } from '../../../shared/people/audit.ts';
import { hasPasswords } from '../../../shared/people/users.ts';
import { sql } from '../../../shared/ports/database.ts';
import type { DatabaseSession } from '../../../shared/database/session.ts';
import { withSession } from '../../db/connect.ts';
import { readGated } from '../../db/gated.ts';
import { lockRun } from '../../db/run-lock.ts';
import { Failure } from '../../failure.ts';
import { operator } from '../../people/ground.ts';
import { print, printJson } from '../../terminal.ts';
import { readArchive } from './archive.ts';
import { addColumns, finishColumns, withoutTriggers } from './columns.ts';
import { Record_, type Counts, type Head, type Tail } from './content.ts';
import { readOpener, type SealingKey } from '../../sealed/keys.ts';
import { beginAlone, NOTHING_ELSE } from './locks.ts';
import { openReturn, type Returned } from './return.ts';

export interface RestoreCommand {
  readonly key: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  /** Seconds. */
  readonly wait: number;
}

/** Restores what a clean-up dropped. The whole archive is read before anything is changed. Throws Failure. */
export async function runRestore(archive: string, options: RestoreCommand): Promise<void> {
  const opener = await readOpener(options.key);
  const { head, counts, sha256 } = await whole(archive, opener);
  await withSession(async ({ session, waiting }) => {
    const waitMs = options.wait * 1_000;
    const before = await stateOf(session, head, sha256);
    if (options.dryRun === true || before === 'restored') {
      report(options, { ...head, counts }, before);
      return;
    }
    await lockRun(session, waitMs, waiting);
    await beginAlone(session, NOTHING_ELSE, { ...waiting, waitMs });
    try {
      const state = await stateOf(session, head, sha256);
      const returned = state === 'done' ? await restore(session, archive, opener, head) : undefined;
      await session.execute(sql`commit`);
      report(options, { ...head, counts }, state, returned);
    } catch (error) {
      await session.execute(sql`rollback`).catch(() => 0);
      throw error;
    }
  });
}

interface Whole {
  readonly head: Head;
  readonly counts: Counts;
  readonly sha256: string;
}

/** Throws Failure for another key, and for an archive that is not whole. */
async function whole(archive: string, opener: SealingKey): Promise<Whole> {
  const digest = createHash('sha256');
  const found = { person: 0, removed: 0 };
  let head: Head | undefined;
  let tail: Tail | undefined;
  for await (const text of readArchive(archive, opener, digest)) {
    const record = Record_.parse(JSON.parse(text));
    if (record.kind === 'head') head = record;
    else if (record.kind === 'tail') tail = record;
    else if (record.kind !== 'row') found[record.kind] += 1;
  }
  const { records } = tail ?? {};
  if (
    head === undefined ||
    tail === undefined ||
    records?.person !== found.person ||
    records.removed !== found.removed
  )
    throw new Failure(`${archive} does not hold what it says`);
  return { head, counts: tail.counts, sha256: digest.digest('hex') };
}

const StateRow = z.object({ state: z.enum(['done', 'restored']), archive: z.string() });
type State = z.output<typeof StateRow>['state'];

/** The archive has to be the one that the database was cleaned up with: its SQL is run. Throws Failure. */
async function stateOf(session: DatabaseSession, { id, at }: Head, sha256: string): Promise<State> {
  const [row] = await session.query(
    sql`select state, fingerprint as archive from sallyport_runs where run_id = ${id}::uuid and kind = 'cleanup'`,
    StateRow,
  );
  if (row === undefined)
    throw new Failure(`this database was not cleaned up into this archive (of ${at}): nothing was changed`);
  if (row.archive !== sha256)
    throw new Failure('the archive was changed since the clean-up wrote it: nothing was changed');
  if (row.state === 'restored' && !(await hasPasswords(session)))
    throw new Failure(
      `the clean-up of ${at} was taken back, and this database was cleaned up again since: nothing was changed`,
    );
  return row.state;
}

async function restore(
  session: DatabaseSession,
  archive: string,
  opener: SealingKey,
  head: Head,
): Promise<Returned> {
  const returning = await openReturn(session);
  const returned = await withoutTriggers(session, ['users', 'sessions'], async () => {
    await addColumns(session, head.shape);
    for await (const text of readArchive(archive, opener, createHash('sha256'))) await returning.take(text);
    const counts = await returning.end();
    await finishColumns(session, head.shape);
    return counts;
  });
  for (const { name } of await readGated())
    await session.execute(sql`delete from sallyport_migrations where name = ${name}`);
  // Null: the figures count all users again, as no trigger has noted the changes.
  await session.execute(sql`insert into sallyport_changes (user_id) values (null)`);
  const entry = {
    who: operator(),
    what: 'cleanup_restored',
    from: 'cli',
    run: head.id,
    detail: { ...returned },
  } as const;
  await session.execute(
    sql`with run as (update sallyport_runs set state = 'restored', updated_at = now() where run_id = ${head.id}::uuid returning run_id)
        ${auditInsert(entry, sql`run`)}`,
  );
  return returned;
}

function report(
  { json, dryRun = false }: RestoreCommand,
  { id, at, counts }: Pick<Head, 'id' | 'at'> & Pick<Whole, 'counts'>,
  state: State,
  returned?: Returned,
): void {
  const already = state === 'restored';
  if (json === true) {
    printJson({
      run: id,
      of: at,
      dry_run: dryRun,
      already,
      ...(returned ?? { archived: counts.people, archived_removed: counts.removed }),
    });
    return;
  }
  if (already) print(`the clean-up of ${at} is taken back already: nothing was changed`);
  else if (returned === undefined)
    print(
      `the archive is whole: ${counts.people} people, ${counts.removed} who were removed; nothing was changed`,
    );
  else {
    print(
      `the columns are back, with the values of ${returned.people} people; ${returned.removed} who were removed are back`,
    );
    if (returned.left > 0)
      print(
        `${returned.left} of these are not: forgotten since, their tenant is gone, or their address is taken`,
      );
    print(`${returned.since} people are new since: they sign in by the provider alone`);
  }
}
