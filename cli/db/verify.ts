import type { DatabaseSession } from '../../shared/database/session.ts';
import { faultsOfUnadopted } from './baseline.ts';
import { readCatalog, readInvalidIndexes } from './catalog.ts';
import { missingFrom } from './expected.ts';
import type { Expected } from './expected.ts';
import type { MigrationFile } from './files.ts';
import { readLedger } from './ledger.ts';
import { planMigrations } from './migrate.ts';

/** Differences between the live database and the migrations; empty when there are none. Read-only. */
export async function verify(
  session: DatabaseSession,
  files: readonly MigrationFile[],
  expected: Expected,
): Promise<string[]> {
  const ledger = await readLedger(session);
  const { faults, pending } = planMigrations(files, ledger);
  return [
    ...(await faultsOfUnadopted(session, ledger)),
    ...faults,
    ...pending.map(({ name }) => `${name}: pending`),
    ...missingFrom(await readCatalog(session), expected),
    ...(await readInvalidIndexes(session)).map(
      (index) => `index ${index} is invalid: drop it, its build was cut off`,
    ),
  ];
}
