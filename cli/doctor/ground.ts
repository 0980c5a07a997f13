import type { Slice } from '../../shared/configuration/slice.ts';
import { NotSetUp } from '../../shared/checks/check.ts';
import { openGround, type Ground } from '../../shared/deps.ts';
import { openDatabase } from '../deps.ts';
import type { Database } from '../../shared/ports/database.ts';
import { Failure } from '../failure.ts';
import { environment } from '../terminal.ts';
import { configured, DATABASE_URL } from '../variables.ts';

/** Milliseconds for one exchange of a check; below what a whole check gets. */
export const EXCHANGE_MS = 5_000;

export type DoctorGround = Ground;

export function openDoctorGround(): DoctorGround {
  return openGround({ logLevel: 'silent' });
}

/** What a slice comes to. Throws NotSetUp where a variable of it is missing or malformed, which `configuration` reports. */
export function partOf<Part extends object>(slice: Slice<Part>): Part {
  try {
    return configured(slice);
  } catch (error) {
    if (error instanceof Failure) throw new NotSetUp(error.message.split('\n').join('; '));
    throw error;
  }
}

/** Whether a variable is set. */
export function isSet(name: string): boolean {
  return (environment[name] ?? '').trim() !== '';
}

/** Throws NotSetUp with the name of what is not set. */
export function demand(...names: readonly string[]): void {
  const missing = names.filter((name) => !isSet(name));
  if (missing.length > 0) throw new NotSetUp(`${missing.join(', ')} is not set`);
}

/** DATABASE_URL, open for one check. Throws NotSetUp without it. */
export async function withDatabase<T>(work: (database: Database) => Promise<T>): Promise<T> {
  demand('DATABASE_URL');
  const database = openDatabase(partOf(DATABASE_URL).databaseUrl);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}
