import { DatabaseError } from '../shared/ports/database.ts';

/** A command that was refused or failed: exit code 1. An empty message when everything is printed already. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

/** A malformed command line: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const UNDEFINED_TABLE = '42P01';

/** The remedy for a database without migrations; undefined for any other error. */
export function withoutTables(error: unknown): Failure | undefined {
  if (!(error instanceof DatabaseError) || error.code !== UNDEFINED_TABLE) return undefined;
  return new Failure('the database has no tables for this: run `sallyport db migrate`', { cause: error });
}
