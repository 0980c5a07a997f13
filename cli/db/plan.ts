import type { MigrationFile } from './files.ts';
import type { LedgerEntry } from './ledger.ts';

export interface Plan {
  readonly pending: readonly MigrationFile[];
  /** Why nothing may run: one line each. */
  readonly faults: readonly string[];
}

type Recorded = Pick<LedgerEntry, 'name' | 'checksum'>;

/** What is still to run, and what must be put right before anything may. */
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
