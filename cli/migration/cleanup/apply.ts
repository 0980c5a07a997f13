import * as z from 'zod';
import { auditInsert } from '../../../shared/people/audit.ts';
import type { MailKindName } from '../../../shared/mail/kinds.ts';
import { DatabaseError, json, sql, type Sql } from '../../../shared/ports/database.ts';
import type { DatabaseSession } from '../../../shared/database/session.ts';
import { withSession } from '../../db/connect.ts';
import type { MigrationFile } from '../../db/files.ts';
import { filesFor, readGated } from '../../db/gated.ts';
import { entryFor } from '../../db/ledger.ts';
import { planRun } from '../../db/migrate.ts';
import { lockRun } from '../../db/run-lock.ts';
import { Failure } from '../../failure.ts';
import { operator } from '../../people/ground.ts';
import { ReferenceRow, referencesTo } from '../../people/references.ts';
import { colors, note } from '../../terminal.ts';
import { openArchive, type ArchiveWriter } from './archive.ts';
import { backupOf } from './check.ts';
import { withoutTriggers } from './columns.ts';
import { contentOf, readCounts, readShape, type Head } from './content.ts';
import { assertPasswords, LEAVING, readGate, type GateLine } from './gate.ts';
import { readRecipient, type SealingKey } from '../../sealed/keys.ts';
import { alone, beginAlone, NO_WRITES, type Patience } from './locks.ts';
import { refuseUnless, reportApply, type Dropped, type References } from './report.ts';

export interface ApplyCommand {
  readonly database: string;
  readonly archive?: string;
  readonly recipient?: string;
  readonly backup?: string;
  readonly removeWithoutAccount?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  /** Seconds to wait for sign-ins and runs under way. */
  readonly wait: number;
}

/** Drops the passwords if the gate is open, once the dropped values are in the archive. Throws Failure. */
export async function runApply(options: ApplyCommand): Promise<void> {
  const target = options.dryRun === true ? null : await targetOf(options);
  await withSession(async ({ session, waiting }) => {
    const gated = await judged(session, options);
    const removing = options.removeWithoutAccount === true;
    const backup = await backupOf(options.backup, session);
    const gate = [...(await readGate(session, removing)), backup];
    if (target === null) {
      reportApply(
        options,
        gate,
        await readCounts(session, leaving(removing)),
        await referencesNow(session, removing),
      );
      return;
    }
    refuseUnless(gate, options);
    const patience = { ...waiting, waitMs: options.wait * 1_000 };
    await lockRun(session, patience.waitMs, waiting);
    const done = await drop({ session, gated, removing, backup, patience, asked: options, ...target });
    reportApply(options, gate, done.counts, [], done);
  });
}

interface Target {
  readonly archive: string;
  readonly recipient: SealingKey;
}

async function targetOf({ archive, recipient }: ApplyCommand): Promise<Target> {
  if (archive === undefined || recipient === undefined)
    throw new Failure(
      'what is dropped has to be kept: name --archive FILE, and --recipient FILE with the public JWK that it is encrypted to',
    );
  return { archive, recipient: await readRecipient(recipient) };
}

/** Returns the gated migration. Throws Failure for another database, one without passwords, or one with pending migrations. */
async function judged(session: DatabaseSession, { database }: ApplyCommand): Promise<MigrationFile> {
  const found = await assertPasswords(session);
  if (found !== database)
    throw new Failure(`this database is ${found}, not ${database}: nothing was changed`);
  const { pending } = await planRun(session, await filesFor(session));
  if (pending.length > 0)
    throw new Failure(`${pending.length} migrations are pending: run \`sallyport db migrate\` first`);
  const [gated, ...others] = await readGated();
  if (gated === undefined || others.length > 0) throw new Error('one migration is gated');
  return gated;
}

function leaving(removing: boolean): Sql {
  return removing ? LEAVING : sql`select user_id from users where false`;
}

interface Dropping extends Target {
  readonly session: DatabaseSession;
  readonly gated: MigrationFile;
  readonly removing: boolean;
  readonly backup: GateLine;
  readonly asked: ApplyCommand;
  readonly patience: Patience;
}

async function drop(dropping: Dropping): Promise<Dropped> {
  const { session, archive, recipient } = dropping;
  const writer = await openArchive(archive, recipient);
  let committing = false;
  try {
    await beginAlone(session, NO_WRITES, dropping.patience);
    const dropped = await dropWithin(dropping, writer);
    committing = true;
    await session.execute(sql`commit`);
    return dropped;
  } catch (error) {
    if (committing && !(error instanceof DatabaseError)) {
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

/** Runs in the transaction of `beginAlone`, in which other connections cannot write. */
async function dropWithin(dropping: Dropping, writer: ArchiveWriter): Promise<Dropped> {
  const { session, gated, removing, archive, patience } = dropping;
  refuseUnless([...(await readGate(session, removing)), dropping.backup], dropping.asked);
  const head = await headOf(session, removing);
  refuseReferences(await references(session, removing));
  await writer.write(JSON.stringify(head));
  for await (const text of contentOf(session)) await writer.write(text);
  const sha256 = await writer.finish();
  await writer.keep();
  await alone(session, patience);
  const started = performance.now();
  for (const change of changes) await session.execute(change);
  await withoutTriggers(session, ['users'], () => session.execute(NAMED));
  await session.script(gated.text);
  await session.execute(entryFor(gated, 'applied', performance.now() - started));
  await session.execute(recorded(head, sha256));
  return { id: head.id, archive, sha256, counts: head.counts };
}

async function headOf(session: DatabaseSession, removing: boolean): Promise<Head> {
  const [row] = await session.query(
    sql`select gen_random_uuid() as id, current_database() as database, now()::text as at`,
    z.object({ id: z.string(), database: z.string(), at: z.string() }),
  );
  const counts = await readCounts(session, leaving(removing));
  if (row === undefined) throw new Error('a query without from has one row');
  return {
    kind: 'head',
    ...row,
    shape: await readShape(session),
    counts,
  };
}

async function references(session: DatabaseSession, removing: boolean): Promise<References> {
  const statements = referencesTo(leaving(removing));
  for (const statement of statements.slice(0, -1)) await session.execute(statement);
  return session.query(statements[statements.length - 1] ?? sql`select`, ReferenceRow);
}

/** As `references`, in a transaction that is rolled back. */
async function referencesNow(session: DatabaseSession, removing: boolean): Promise<References> {
  await session.execute(sql`begin`);
  try {
    return await references(session, removing);
  } finally {
    await session.execute(sql`rollback`);
  }
}

/** Throws Failure for any: a cascade would delete those rows, and the archive would lack them. */
function refuseReferences(found: References): void {
  if (found.length === 0) return;
  const named = found.map(({ name, rows }) => `${name} (${rows})`).join(', ');
  throw new Failure(
    `people who would be removed are named by rows of ${named}: give these rows to somebody else or delete them first, nothing was changed`,
  );
}

/** For people with a link and no kanidm_user_id; the id in a link may be no uuid. */
const NAMED = sql`update users u set kanidm_user_id =
    case when exists (select from users k where k.kanidm_user_id = u.user_id) then gen_random_uuid() else u.user_id end
  where u.kanidm_user_id is null`;

/** Mails of invitations, registrations and new passwords. */
const LINKING: readonly MailKindName[] = [
  'invitation',
  'reminder',
  'deadline',
  'confirm-registration',
  'password-reset',
];

/** What the gated migration takes for granted, and what would come back to passwords after it. */
const changes: readonly Sql[] = [
  sql`delete from users where user_id in (select user_id from sallyport_leaving)`,
  sql`update sallyport_waves set state = 'cancelled', ended_at = now() where state = 'planned'`,
  sql`update sallyport_invitations set ended_at = now(), end_reason = 'cancelled' where ended_at is null`,
  sql`delete from sallyport_registrations`,
  sql`delete from sallyport_resets`,
  // Their links are void now.
  sql`update sallyport_outbox set status = 'dead', last_error = 'the passwords were dropped', content = null, lease_id = null, lease_until = null
    where status = 'pending' and kind = any(${LINKING}::text[])`,
];

/** Records the digest of the archive: `restore` takes no other file. */
function recorded({ id, database, counts }: Head, sha256: string): Sql {
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
