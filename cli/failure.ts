import { RelationsUnavailable, Unavailable } from '../shared/errors.ts';
import { DatabaseError, UNDEFINED_COLUMN } from '../shared/ports/database.ts';
import { environment } from './terminal.ts';

/** A command that was refused or failed: exit code 1. An empty message when everything is printed already. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

/** A malformed command line: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const UNDEFINED_TABLE = '42P01';

/** The remedy for a database without migrations, or after the clean-up; undefined for any other error. */
export function withoutTables(error: unknown): Failure | undefined {
  if (!(error instanceof DatabaseError)) return undefined;
  if (error.code === UNDEFINED_COLUMN)
    return new Failure(
      'the database lacks a column for this: run `sallyport db verify`; after the clean-up of the passwords there is none of it left to do',
      { cause: error },
    );
  if (error.code !== UNDEFINED_TABLE) return undefined;
  return new Failure('the database has no tables for this: run `sallyport db migrate`', { cause: error });
}

/** Maps the error of a service that is away or refuses; undefined for any other error. */
export function serviceFailure(error: unknown): Failure | undefined {
  if (error instanceof RelationsUnavailable) return new Failure(openFgaFailure(error), { cause: error });
  if (error instanceof Unavailable || error instanceof DatabaseError)
    return withoutTables(error) ?? new Failure(error.message, { cause: error });
  return undefined;
}

/** The fault, the host, and OpenFGA's reason for a refusal. Never the token, nor the rest of the URL. */
function openFgaFailure({ message, cause }: RelationsUnavailable): string {
  const url = environment['OPENFGA_URL'] ?? '';
  const where = URL.canParse(url) ? ` (OPENFGA_URL leads to ${new URL(url).host})` : '';
  return `${message}${where}${cause instanceof Error ? `: ${onOneLine(cause.message)}` : ''}`;
}

/** The message quotes a file: control characters must not reach the terminal. */
function onOneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 500);
}
