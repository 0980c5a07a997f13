import type { DatabaseSession } from '../../../shared/database/session.ts';
import { sql } from '../../../shared/ports/database.ts';
import { openLease, withLease } from '../../../shared/runs/lease.ts';
import { withSession } from '../../db/connect.ts';
import type { MigrationFile } from '../../db/files.ts';
import { filesFor, readGated } from '../../db/gated.ts';
import { planRun } from '../../db/migrate.ts';
import { lockRun } from '../../db/run-lock.ts';
import { processes } from '../../deps.ts';
import { Failure } from '../../failure.ts';
import { withDatabase } from '../../people/ground.ts';
import { readRecipient, type SealingKey } from '../../sealed/keys.ts';
import { backupOf } from './check.ts';
import { readCounts } from './content.ts';
import { drop, leavingIf, references } from './drop.ts';
import { assertPasswords, readGate } from './gate.ts';
import type { Patience } from './locks.ts';
import { refuseUnless, reportApply, type References } from './report.ts';

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
        await readCounts(session, leavingIf(removing)),
        await referencesNow(session, removing),
      );
      return;
    }
    refuseUnless(gate, options);
    const patience = { ...waiting, waitMs: options.wait * 1_000 };
    await lockRun(session, patience.waitMs, waiting);
    const done = await withoutRollups(patience, () =>
      drop({ session, gated, removing, backup, patience, asked: options, ...target }),
    );
    reportApply(options, gate, done.counts, [], done);
  });
}

/** A count of the figures under way is waited for. */
const ROLLUP_WAIT_MS = 60_000;

/** Runs `work` while the job figures-rollup does not, which takes the notes of what changes. */
function withoutRollups<T>(patience: Patience, work: () => Promise<T>): Promise<T> {
  return withDatabase(({ database, random }) => {
    const rollups = openLease(database, { name: 'figures-rollup', processes });
    return withLease(rollups, random.uuid(), { ...patience, waitMs: ROLLUP_WAIT_MS }, work);
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

/** As `references`, in a transaction that is rolled back. */
async function referencesNow(session: DatabaseSession, removing: boolean): Promise<References> {
  await session.execute(sql`begin`);
  try {
    return await references(session, removing);
  } finally {
    await session.execute(sql`rollback`);
  }
}
