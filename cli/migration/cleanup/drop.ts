import * as z from 'zod';
import { auditInsert } from '../../../shared/people/audit.ts';
import type { DatabaseSession } from '../../../shared/database/session.ts';
import { DatabaseError, json, sql, type Sql } from '../../../shared/ports/database.ts';
import type { MigrationFile } from '../../db/files.ts';
import { entryFor } from '../../db/ledger.ts';
import { Failure } from '../../failure.ts';
import { operator } from '../../people/ground.ts';
import { ReferenceRow, referencesTo } from '../../people/references.ts';
import type { SealingKey } from '../../sealed/keys.ts';
import { colors, note } from '../../terminal.ts';
import { openArchive, type ArchiveWriter } from './archive.ts';
import { ACCOUNT, end, LINKED, NAMED, UNTOUCHED } from './changes.ts';
import { withoutTriggers } from './columns.ts';
import {
  peopleAgain,
  peopleOf,
  readCounts,
  readShape,
  removalsOf,
  type Counts,
  type Head,
} from './content.ts';
import { LEAVING, readGate, type GateLine } from './gate.ts';
import { alone, beginPlain, patiently, type Patience } from './locks.ts';
import { beginNoting, lookAgain, noteRest, peopleBetween, REST, type Noted } from './notes.ts';
import { refuseUnless, type Dropped, type References } from './report.ts';

/**
 * People and sessions that are looked at under the locks, at most: what changed since was archived without them. Beside these, SET NOT NULL
 * reads `users` once.
 */
export const MOST_LOCKED = 1_000;

export interface Dropping {
  readonly session: DatabaseSession;
  readonly gated: MigrationFile;
  readonly removing: boolean;
  readonly backup: GateLine;
  readonly asked: { readonly database: string; readonly json?: boolean };
  readonly patience: Patience;
  readonly archive: string;
  readonly recipient: SealingKey;
}

/** Ids of the users who are removed. */
export function leavingIf(removing: boolean): Sql {
  return removing ? LEAVING : sql`select user_id from users where false`;
}

/** Archives everybody while others write, and drops the columns once nearly nothing is left to archive. Throws Failure. */
export async function drop(dropping: Dropping): Promise<Dropped> {
  const { session, archive, recipient, patience } = dropping;
  const writer = counting(await openArchive(archive, recipient));
  const ending = { begun: false };
  try {
    const head = await headOf(session);
    await writer.write(JSON.stringify(head));
    let noted = await beginNoting(session, patience);
    // From here on every change is noted.
    await refuseClosed(dropping);
    for await (const text of peopleOf(session)) await writer.write(text);
    // So that the planner finds the last of millions of notes by their numbers.
    await session.script('analyze sallyport_changes, sallyport_figures_deltas');
    for (;;) {
      noted = await caughtUp(noted, writer, dropping);
      const dropped = await attempt(head, noted, writer, dropping, ending);
      if (dropped !== undefined) return dropped;
      await refuseClosed(dropping);
    }
  } catch (error) {
    if (ending.begun && !(error instanceof DatabaseError)) {
      note(
        `${colors.red('the end is not known')}: \`sallyport db status\` shows whether the passwords are dropped; ${archive} stays`,
      );
      throw error;
    }
    await session.execute(sql`rollback`).catch(() => 0);
    await writer.discard();
    throw error;
  }
}

async function refuseClosed({ session, removing, backup, asked }: Dropping): Promise<void> {
  refuseUnless([...(await readGate(session, removing)), backup], asked);
}

interface CountingWriter extends Pick<ArchiveWriter, 'write' | 'finish' | 'keep' | 'discard'> {
  readonly records: () => { readonly person: number; readonly removed: number };
  /** Reads back what was written; the result cuts off what is written from here on. */
  mark(): Promise<() => Promise<void>>;
}

const KIND = /^\{"kind": ?"(person|removed)"/;

/** Counts records by their kind, as the last one has to have it. */
function counting(writer: ArchiveWriter): CountingWriter {
  let records = { person: 0, removed: 0 };
  return {
    ...writer,
    records: () => records,
    async write(text) {
      const kind = KIND.exec(text)?.[1];
      if (kind === 'person' || kind === 'removed') records = { ...records, [kind]: records[kind] + 1 };
      await writer.write(text);
    },
    async mark() {
      const [mark, then] = [await writer.mark(), records];
      return async () => {
        records = then;
        await writer.rewind(mark);
      };
    },
  };
}

const CountRow = z.object({ n: z.number() });

/** Archives again who has changed, round by round, until one has nearly nobody. */
async function caughtUp(
  from: Noted,
  writer: CountingWriter,
  { session, patience }: Dropping,
): Promise<Noted> {
  for (let noted = from; ;) {
    const next = await lookAgain(session, noted, patience);
    const ids = peopleBetween(noted, next);
    const [row] = await session.query(sql`select count(*)::int as n from (${ids}) as changed`, CountRow);
    for await (const text of peopleAgain(session, ids)) await writer.write(text);
    noted = next;
    if ((row?.n ?? 0) <= MOST_LOCKED) return noted;
  }
}

/** Undefined where too much has changed, or something that has to be judged anew: nothing was changed then. */
async function attempt(
  head: Head,
  noted: Noted,
  writer: CountingWriter,
  dropping: Dropping,
  ending: { begun: boolean },
): Promise<Dropped | undefined> {
  const { session, gated, removing, archive, patience } = dropping;
  const counts = await readCounts(session, leavingIf(removing));
  const cutOff = await writer.mark();
  await patiently(patience, async () => {
    await beginPlain(session);
    try {
      await prepare(writer, dropping);
    } catch (error) {
      await session.execute(sql`rollback`);
      await cutOff();
      throw error;
    }
  });
  // Read back before others have to wait.
  await writer.mark();
  await alone(session, patience);
  if (!(await settled(noted, writer, dropping))) {
    await session.execute(sql`rollback`);
    await cutOff();
    return undefined;
  }
  await writer.write(JSON.stringify({ kind: 'tail', counts, records: writer.records() }));
  const sha256 = await writer.finish();
  await writer.keep();
  const started = performance.now();
  await session.script(gated.text);
  await session.execute(entryFor(gated, 'applied', performance.now() - started));
  await session.execute(recorded(head, counts, sha256));
  ending.begun = true;
  await session.execute(sql`commit`);
  return { id: head.id, archive, sha256, counts };
}

/** What takes long: it locks the rows that it changes, and nobody else's. */
async function prepare(writer: CountingWriter, { session, removing }: Dropping): Promise<void> {
  refuseReferences(await references(session, removing));
  const leaving = sql`select user_id from sallyport_leaving`;
  if (removing) for await (const text of removalsOf(session, leaving, LEAVING)) await writer.write(text);
  await session.execute(LINKED);
  await session.execute(NAMED);
  await end(session);
}

/** Under the locks: archives the rest. False where there is too much of it, or the gate has closed. */
async function settled(
  noted: Noted,
  writer: CountingWriter,
  { session, removing, backup }: Dropping,
): Promise<boolean> {
  const rest = await noteRest(session, noted, MOST_LOCKED);
  if (!rest.whole)
    throw new Failure('the figures were counted meanwhile, with what was noted of changes: try again');
  if (rest.people > MOST_LOCKED || rest.sessions > MOST_LOCKED || rest.tenants !== noted.tenants)
    return false;
  const gate = [...(await readGate(session, removing, REST)), backup];
  if (gate.some(({ ok }) => !ok)) return false;
  for await (const text of peopleAgain(session, REST.people, ACCOUNT)) await writer.write(text);
  if (removing) for await (const text of removalsOf(session, REST.people, LEAVING)) await writer.write(text);
  await withoutTriggers(session, ['users'], async () => {
    await session.execute(UNTOUCHED);
    await session.execute(sql`${NAMED} and u.user_id in (${REST.people})`);
  });
  await end(session);
  return true;
}

async function headOf(session: DatabaseSession): Promise<Head> {
  const [row] = await session.query(
    sql`select gen_random_uuid() as id, current_database() as database, now()::text as at`,
    z.object({ id: z.string(), database: z.string(), at: z.string() }),
  );
  if (row === undefined) throw new Error('a query without from has one row');
  return { kind: 'head', ...row, shape: await readShape(session) };
}

export async function references(session: DatabaseSession, removing: boolean): Promise<References> {
  const statements = referencesTo(leavingIf(removing));
  for (const statement of statements.slice(0, -1)) await session.execute(statement);
  return session.query(statements[statements.length - 1] ?? sql`select`, ReferenceRow);
}

/** Throws Failure for any: a cascade would delete those rows, and the archive would lack them. */
function refuseReferences(found: References): void {
  if (found.length === 0) return;
  const named = found.map(({ name, rows }) => `${name} (${rows})`).join(', ');
  throw new Failure(
    `people who would be removed are named by rows of ${named}: give these rows to somebody else or delete them first, nothing was changed`,
  );
}

/** Records the digest of the archive: `restore` takes no other file. */
function recorded({ id, database }: Head, counts: Counts, sha256: string): Sql {
  const entry = {
    who: operator(),
    what: 'cleaned_up',
    from: 'cli',
    run: id,
    detail: { ...counts, archive: sha256 },
  } as const;
  return sql`with run as (
      insert into sallyport_runs (run_id, kind, fingerprint, plan, state, report)
      values (${id}::uuid, 'cleanup', ${sha256}, ${json({ database })}, 'done', ${json(counts)}) returning run_id)
    ${auditInsert(entry, sql`run`)}`;
}
