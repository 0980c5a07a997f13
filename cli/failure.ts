import { DatabaseError } from '../shared/ports/database.ts';
import { missingHint } from '../shared/configuration/names.ts';
import { environment } from './terminal.ts';

/** A command that was refused or failed: exit code 1. Without a message when everything has been said already. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

/** A command that was called in a way it does not understand: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** `todo`: what it is for or where its value comes from. */
export function missing(variable: string, todo = 'set it'): Failure {
  return new Failure(
    `${variable} is missing: ${todo}${missingHint(variable, environment)} (environment, .env or --env-file)`,
  );
}

const UNDEFINED_TABLE = '42P01';

/** What to do about a database that was never brought up to date; undefined for any other error. */
export function withoutTables(error: unknown): Failure | undefined {
  if (!(error instanceof DatabaseError) || error.code !== UNDEFINED_TABLE) return undefined;
  return new Failure('the database has no tables for this: run `sallyport db migrate`', { cause: error });
}
