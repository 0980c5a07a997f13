import type { Slice } from '../../shared/configuration/slice.ts';
import { NotSetUp, red, Stopped } from '../../shared/checks/check.ts';
import { openGround, type Ground } from '../../shared/deps.ts';
import { openDatabase } from '../deps.ts';
import { DatabaseError, DatabaseUnavailable, type Database } from '../../shared/ports/database.ts';
import { environment } from '../terminal.ts';
import { configured, DATABASE_URL, Misconfigured } from '../variables.ts';

/** Milliseconds for one exchange of a check; below what a whole check gets. */
export const EXCHANGE_MS = 5_000;

export type DoctorGround = Ground;

export function openDoctorGround(): DoctorGround {
  return openGround({ logLevel: 'silent' });
}

/** What a slice comes to. Throws NotSetUp where variables of it are missing, and Stopped, which is red, where one that is set is malformed. */
export function partOf<Part extends object>(slice: Slice<Part>): Part {
  try {
    return configured(slice);
  } catch (error) {
    if (!(error instanceof Misconfigured)) throw error;
    const cause = error.message.split('\n').join('; ');
    const malformed = error.faults.map(({ variable }) => variable).filter(isSet);
    if (malformed.length === 0) throw new NotSetUp(cause);
    const names = [...new Set(malformed)].join(', ');
    throw new Stopped(red(cause, `write ${names} anew (docs/reference/variables.md)`));
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

/** DATABASE_URL, open for one check. Throws NotSetUp without it, and Stopped, which is red, where it is away or refuses: why is the finding of `database`. */
export async function withDatabase<T>(work: (database: Database) => Promise<T>): Promise<T> {
  try {
    return await inDatabase(work);
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable) && !(error instanceof DatabaseError)) throw error;
    const untold =
      error.code === UNDEFINED_TABLE ? 'sallyport db migrate' : 'sallyport doctor --only database';
    throw new Stopped(red(`not known: ${error.message}`, untold));
  }
}

const UNDEFINED_TABLE = '42P01';

/** The same with the errors of `Database`. */
export async function inDatabase<T>(work: (database: Database) => Promise<T>): Promise<T> {
  demand('DATABASE_URL');
  const database = openDatabase(partOf(DATABASE_URL).databaseUrl);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** As in ECONNREFUSED. */
export function whyUnreached(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time';
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'no answer';
}
