import { join } from 'node:path';
import type { DatabaseSession } from '../../shared/database/session.ts';
import { MIGRATIONS } from './connect.ts';
import { readExpected, type Expected } from './expected.ts';
import { readMigrations, type MigrationFile } from './files.ts';
import { readLedger } from './ledger.ts';

/** Columns of `users` that the gated migration drops. */
export const DROPPED = [
  'password_hash',
  'password_changed_at',
  'failed_login_attempts',
  'locked_until',
  'auth_method',
  'migration_invited_at',
  'migration_completed_at',
] as const;

/** Migrations that `db migrate` leaves to `sallyport migration cleanup apply`. */
export function readGated(): Promise<MigrationFile[]> {
  return readMigrations(join(MIGRATIONS, 'gated'));
}

/** The migrations that count for a database: a gated one counts once it has run there. */
export async function filesFor(session: DatabaseSession): Promise<MigrationFile[]> {
  const [files, gated, ledger] = [
    await readMigrations(MIGRATIONS),
    await readGated(),
    await readLedger(session),
  ];
  const ran = new Set(ledger.map(({ name }) => name));
  return [...files, ...gated.filter(({ name }) => ran.has(name))].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The schema that those promise. */
export async function expectedFor(session: DatabaseSession): Promise<Expected> {
  const [expected, gated, ledger] = [
    await readExpected(MIGRATIONS),
    await readGated(),
    await readLedger(session),
  ];
  const names = new Set(gated.map(({ name }) => name));
  return ledger.some(({ name }) => names.has(name)) ? cleaned(expected) : expected;
}

const OF_USERS = /^users[. ]/;
const NAMED = new RegExp(`\\b(?:${DROPPED.join('|')})\\b`);

/** DROP COLUMN takes the indexes and constraints of a column along. */
export function cleaned({ legacy, current }: Expected): Expected {
  const stays = (line: string): boolean => !(OF_USERS.test(line) && NAMED.test(line));
  const without = (catalog: Expected['current']): Expected['current'] => ({
    ...catalog,
    columns: catalog.columns.filter(stays),
    indexes: catalog.indexes.filter(stays),
    constraints: catalog.constraints.filter(stays),
  });
  return { legacy: without(legacy), current: without(current) };
}
