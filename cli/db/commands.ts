import { Failure } from '../failure.ts';
import { colors, interruptedWith, note, print, printJson } from '../terminal.ts';
import { baseline, faultsOfUnadopted, planBaseline } from './baseline.ts';
import { readCatalog } from './catalog.ts';
import { MIGRATIONS, withSession } from './connect.ts';
import { readExpected } from './expected.ts';
import { readMigrations } from './files.ts';
import { expectedFor, filesFor } from './gated.ts';
import { readLedger } from './ledger.ts';
import { migrate, planMigrations, planRun, type MigrateOptions } from './migrate.ts';
import { verify } from './verify.ts';
import { isatty } from 'node:tty';

export interface Output {
  readonly json?: boolean;
}

export interface RunOptions extends Output {
  readonly dryRun?: boolean;
  /** Seconds. */
  readonly wait: number;
}

export interface MigrateCommand extends RunOptions {
  /** Milliseconds. */
  readonly lockTimeout: number;
}

/** Runs the pending migrations, or prints them. */
export async function runMigrate(options: MigrateCommand): Promise<void> {
  await withSession(async ({ session, shown, waiting }) => {
    const files = await filesFor(session);
    if (options.dryRun === true) {
      const { pending } = await planRun(session, files);
      report(options, { database: shown, dry_run: true, pending: pending.map(({ name }) => name) }, [
        `${shown}: ${pending.length} to run, nothing was changed`,
        ...pending.map(
          ({ name, transactional }) => `  ${name}${transactional ? '' : ' (statement by statement)'}`,
        ),
      ]);
      return;
    }
    const applied = await migrate(session, files, {
      ...waiting,
      ...migrationProgress(),
      waitMs: options.wait * 1000,
      lockTimeoutMs: options.lockTimeout,
    }).catch(explainInterruption);
    report(options, { database: shown, applied }, [`${shown}: ${applied.length} ran, up to date`]);
  });
}

function explainInterruption(error: unknown): never {
  if (interruptedWith() !== undefined) {
    note('\ninterrupted: what ran stays, run `sallyport db migrate` again to go on');
  }
  throw error;
}

/** Prints each migration and its state. */
export async function runStatus(options: Output): Promise<void> {
  await withSession(async ({ session, shown }) => {
    const files = await filesFor(session);
    const ledger = await readLedger(session);
    const entries = new Map(ledger.map((entry) => [entry.name, entry]));
    const faults = [...(await faultsOfUnadopted(session, ledger)), ...planMigrations(files, ledger).faults];
    const migrations = files.map(({ name }) => {
      const entry = entries.get(name);
      return { name, state: entry?.origin ?? 'pending', at: entry?.applied_at.toISOString() ?? null };
    });
    report(options, { database: shown, migrations, faults }, [
      shown,
      ...migrations.map(
        ({ name, state, at }) => `  ${state.padEnd(9)} ${name}${at === null ? '' : colors.dim(` ${at}`)}`,
      ),
      ...faults.map((fault) => colors.red(fault)),
    ]);
  });
}

/** Throws Failure after printing every difference to the migrations. */
export async function runVerify(options: Output): Promise<void> {
  const differences = await withSession(async ({ session, shown }) => {
    const found = await verify(session, await filesFor(session), await expectedFor(session));
    report(options, { database: shown, ok: found.length === 0, differences: found }, [
      found.length === 0 ? `${shown}: as the migrations promise` : `${shown} differs:`,
      ...found.map((difference) => `  ${difference}`),
    ]);
    return found;
  });
  if (differences.length > 0) throw new Failure('');
}

/** Adopts an existing database, or prints what it would record. */
export async function runBaseline(options: RunOptions): Promise<void> {
  const files = await readMigrations(MIGRATIONS);
  const expected = await readExpected(MIGRATIONS);
  await withSession(async ({ session, shown, waiting }) => {
    const dryRun = options.dryRun === true;
    const { adopted, from } = dryRun
      ? await planBaseline(session, files, expected)
      : await baseline(session, files, expected, { ...waiting, waitMs: options.wait * 1000 });
    const names = adopted.map(({ name }) => name);
    const found = from === 'sqlx' ? 'by the record of sqlx' : 'by its tables';
    report(options, { database: shown, dry_run: dryRun, from, adopted: names }, [
      `${shown}: ${names.length} ${dryRun ? 'would be ' : ''}recorded as already there, ${found}`,
      ...names.map((name) => `  ${name}`),
    ]);
  });
}

/** Prints the live schema in the form of migrations/schema/*.json. */
export async function runSchema(): Promise<void> {
  await withSession(async ({ session }) => {
    printJson(await readCatalog(session));
  });
}

function report(options: Output, machine: unknown, lines: readonly string[]): void {
  if (options.json === true) printJson(machine);
  else for (const line of lines) print(line);
}

type Progress = Required<Pick<MigrateOptions, 'onStart' | 'onDone' | 'onLockBusy'>>;

const CLEAR_LINE = '\r\u001b[2K';

/** Prints to stderr a line per finished migration; on a terminal also the running one. */
export function migrationProgress(live = isatty(process.stderr.fd)): Progress {
  const transient = (text: string): void => {
    if (live) process.stderr.write(`${CLEAR_LINE}${text}`);
  };
  return {
    onStart: ({ name }, index, total) => {
      transient(`${bar(index, total)} ${index + 1}/${total} ${name} …`);
    },
    onDone: ({ name }, executionMs) => {
      transient('');
      note(`${colors.green('✓')} ${name} ${colors.dim(`${Math.round(executionMs)} ms`)}`);
    },
    onLockBusy: ({ name }, attempt) => {
      transient(`  ${name}: busy tables, attempt ${attempt} gave way to them; trying again …`);
    },
  };
}

function bar(done: number, total: number): string {
  const width = 20;
  const filled = Math.floor((done / total) * width);
  return `[${'#'.repeat(filled)}${'.'.repeat(width - filled)}]`;
}
