import { createHash } from 'node:crypto';
import { Refusal } from '../../../shared/errors.ts';
import { sql, type Sql } from '../../../shared/ports/database.ts';

/** The answer to every request for a mail, with and without an account. */
export const REQUESTED = { status: 'accepted' };

/** Tokens of mailed links are kept as SHA-256 alone. */
export function tokenDigest(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}

export function invalidToken(detail?: string): Refusal {
  return new Refusal(
    'invalid_reset_token',
    'unknown, spent or expired',
    detail === undefined ? {} : { detail },
  );
}

/** A token and its mail. */
const STATEMENTS = 2;

/**
 * Returns as many statements for an unknown address as for a known one: each is a round trip, and the time of an answer must not show which
 * it was.
 */
export function alike(statements: readonly Sql[]): readonly Sql[] {
  const idle = Array.from({ length: Math.max(0, STATEMENTS - statements.length) }, () => sql`select 1`);
  return [...statements, ...idle];
}
