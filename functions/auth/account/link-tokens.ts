import { createHash } from 'node:crypto';
import { Refusal } from '../../../shared/errors.ts';
import { sql, type Sql } from '../../../shared/ports/database.ts';

/** The one answer to whoever asks for a mail. */
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
 * As many statements for an address that nobody has as for one that somebody has: each is a round trip, and the time of an answer is not to
 * tell them apart.
 */
export function alike(statements: readonly Sql[]): readonly Sql[] {
  const idle = Array.from({ length: Math.max(0, STATEMENTS - statements.length) }, () => sql`select 1`);
  return [...statements, ...idle];
}
