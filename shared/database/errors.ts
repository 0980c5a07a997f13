import * as z from 'zod';

/** No answer: connection, time-out or shutdown. Whether a write happened is unknown. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable';

  constructor(reason: string) {
    super(`the database is unavailable: ${reason}`);
  }
}

interface Refused {
  readonly table?: string | undefined;
  readonly constraint?: string | undefined;
  /** Postgres' own primary message; only where it cannot hold a value. */
  readonly message?: string | undefined;
}

/** Postgres refused the statement. Carries no value of a parameter or a row. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  /** SQLSTATE, five characters: PostgreSQL manual, appendix A. */
  readonly code: string;
  readonly constraint: string | undefined;
  readonly table: string | undefined;

  constructor(code: string, refused: Refused = {}) {
    const where = refused.table === undefined ? '' : ` on ${refused.table}`;
    const which = refused.constraint === undefined ? '' : ` (${refused.constraint})`;
    const why = refused.message === undefined ? '' : `: ${refused.message}`;
    super(`Postgres refused the statement with ${code}${where}${which}${why}`);
    this.code = code;
    this.constraint = refused.constraint;
    this.table = refused.table;
  }

  /** The same transaction may succeed when run again: serialization failure or deadlock. */
  get retryable(): boolean {
    return this.code === '40001' || this.code === '40P01';
  }
}

/** A row is not of the shape the code was written for; usually a migration is missing. */
export class UnexpectedRow extends Error {
  override readonly name = 'UnexpectedRow';
}

const Refusal = z.object({
  code: z.string().regex(/^[0-9A-Z]{5}$/),
  severity: z.string(),
  message: z.string(),
  table: z.string().optional().catch(undefined),
  constraint: z.string().optional().catch(undefined),
});

/** 57014 statement time-out; 57P0x shutdown, crash, starting up; 53300 too many connections. */
const AWAY = new Set(['57014', '57P01', '57P02', '57P03', '53300']);

/**
 * Undefined or ambiguous names, syntax, rights, and who may sign in: the message quotes names and the statement's own text,
 * whose values are all `$n`.
 */
const ABOUT_NAMES = new Set([
  ...['42601', '42703', '42P01', '42883', '42P02', '42702', '42501'],
  ...['28000', '28P01', '3D000', '25006'],
]);

/** `trusted`: the statement has no parameters, so that Postgres' message may be shown whatever the code. */
export function toDatabaseError(error: unknown, trusted = false): DatabaseError | DatabaseUnavailable {
  const refusal = Refusal.safeParse(error);
  if (!refusal.success) return new DatabaseUnavailable(networkReason(error));
  const { code, table, constraint, message } = refusal.data;
  if (AWAY.has(code) || code.startsWith('08')) return new DatabaseUnavailable(`SQLSTATE ${code}`);
  return new DatabaseError(code, {
    table,
    constraint,
    message: trusted || ABOUT_NAMES.has(code) ? message : undefined,
  });
}

const NetworkError = z.object({ code: z.string().regex(/^[A-Z_]+$/) });

function networkReason(error: unknown): string {
  const coded = NetworkError.safeParse(error);
  if (coded.success) return coded.data.code;
  if (error instanceof AggregateError) return networkReason(error.errors[0]);
  return error instanceof Error ? error.message : 'no reason given';
}
