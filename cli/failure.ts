import { DatabaseError } from '../shared/ports/database.ts';
import { missingHint } from '../shared/configuration/names.ts';
import { environment } from './terminal.ts';

/** A command that was refused or failed: exit code 1. An empty message when everything is printed already. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

/** A malformed command line: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** `todo`: its purpose or the source of its value. */
export function missing(variable: string, todo = 'set it'): Failure {
  return new Failure(
    `${variable} is missing: ${todo}${missingHint(variable, environment)} (environment, .env or --env-file)`,
  );
}

const UNDEFINED_TABLE = '42P01';

/** The remedy for a database without migrations; undefined for any other error. */
export function withoutTables(error: unknown): Failure | undefined {
  if (!(error instanceof DatabaseError) || error.code !== UNDEFINED_TABLE) return undefined;
  return new Failure('the database has no tables for this: run `sallyport db migrate`', { cause: error });
}
