import { MigrationError, Umzug } from 'umzug';
import { sql } from '../../shared/ports/database.ts';
import type { DatabaseSession } from '../../shared/database/session.ts';
import { Failure } from '../failure.ts';
import { faultsOfUnadopted } from './baseline.ts';
import { executeMigration, type ExecuteOptions } from './execute.ts';
import type { MigrationFile } from './files.ts';
import { createLedger, readLedger, type LedgerEntry } from './ledger.ts';
import { lockRun } from './run-lock.ts';
import { messageOf } from '../../shared/errors.ts';

export interface MigrateOptions extends ExecuteOptions {
  /** Milliseconds to wait for another run to end. */
  readonly waitMs: number;
  readonly onStart?: (file: MigrationFile, index: number, total: number) => void;
  readonly onDone?: (file: MigrationFile, executionMs: number) => void;
}

/** A migration failed; earlier ones stay applied, and the next run starts with this one. */
export class MigrationFailed extends Failure {
  readonly file: string;

  constructor(file: string, cause: unknown) {
    super(`${file}: ${messageOf(cause)}`, { cause });
    this.file = file;
  }
}

/** What `migrate` would do. Read-only. Throws Failure. */
export async function planRun(session: DatabaseSession, files: readonly MigrationFile[]): Promise<Plan> {
  const ledger = await readLedger(session);
  const plan = planMigrations(files, ledger);
  const faults = [...plan.faults, ...(await faultsOfUnadopted(session, ledger))];
  if (faults.length > 0) throw new Failure(faults.join('\n'));
  return plan;
}

/** Applies the pending migrations, one run at a time. Returns their names. */
export async function migrate(
  session: DatabaseSession,
  files: readonly MigrationFile[],
  options: MigrateOptions,
): Promise<string[]> {
  await planRun(session, files);
  await lockRun(session, options.waitMs, options);
  await watchForLoss(session);
  // Read again: another run may have ended while this one waited.
  const { pending } = await planRun(session, files);
  await createLedger(session);
  const umzug = umzugOver(session, files, pending, options);
  try {
    return (await umzug.up()).map(({ name }) => name);
  } catch (error) {
    if (error instanceof MigrationError) throw new MigrationFailed(error.migration.name, error.cause);
    throw error;
  }
}

function umzugOver(
  session: DatabaseSession,
  files: readonly MigrationFile[],
  pending: readonly MigrationFile[],
  options: MigrateOptions,
): Umzug {
  return new Umzug({
    logger: undefined,
    migrations: files.map((file) => ({
      name: file.name,
      up: async () => {
        options.onStart?.(file, pending.indexOf(file), pending.length);
        const executionMs = await executeMigration(session, file, options);
        options.onDone?.(file, executionMs);
      },
    })),
    storage: {
      executed: async () => (await readLedger(session)).map(({ name }) => name),
      // executeMigration records, so that the record can share the migration's transaction.
      logMigration: () => Promise.resolve(),
      unlogMigration: () => Promise.reject(new Error('migrations only go forward')),
    },
  });
}

/** Otherwise the statement of a killed client would run to its end, holding the run lock. */
async function watchForLoss(session: DatabaseSession): Promise<void> {
  try {
    await session.execute(sql`set client_connection_check_interval = '2s'`);
  } catch {
    // Postgres 13, or a platform without it: the next run waits for the old statement instead.
  }
}

export interface Plan {
  readonly pending: readonly MigrationFile[];
  /** Why nothing may run, one line each. */
  readonly faults: readonly string[];
}

type Recorded = Pick<LedgerEntry, 'name' | 'checksum'>;

/** The pending migrations, and the faults to fix before any may run. */
export function planMigrations(files: readonly MigrationFile[], ledger: readonly Recorded[]): Plan {
  const recorded = new Map(ledger.map((entry) => [entry.name, entry]));
  const pending = files.filter(({ name }) => !recorded.has(name));
  return {
    pending,
    faults: [...missing(files, ledger), ...edited(files, recorded), ...late(pending, ledger)],
  };
}

function missing(files: readonly MigrationFile[], ledger: readonly Recorded[]): string[] {
  const names = new Set(files.map(({ name }) => name));
  return ledger
    .filter(({ name }) => !names.has(name))
    .map(({ name }) => `${name}: missing, but the database has run it`);
}

function edited(files: readonly MigrationFile[], recorded: ReadonlyMap<string, Recorded>): string[] {
  return files
    .filter(({ name, checksum }) => (recorded.get(name)?.checksum ?? checksum) !== checksum)
    .map(({ name }) => `${name}: edited after it ran; put the old text back and write a new migration`);
}

function late(pending: readonly MigrationFile[], ledger: readonly Recorded[]): string[] {
  const newest = ledger.reduce((latest, { name }) => (name > latest ? name : latest), '');
  return pending
    .filter(({ name }) => name < newest)
    .map(
      ({ name }) => `${name}: out of order, the database has already run ${newest}; give it a newer number`,
    );
}
