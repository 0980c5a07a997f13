import * as z from 'zod';
import type { Code } from '../codes.ts';
import { messageOf, Unavailable } from '../errors.ts';

/** No answer: connection, time-out or shutdown. Whether a write happened is unknown. */
export class DatabaseUnavailable extends Unavailable {
  override readonly name = 'DatabaseUnavailable';
  readonly problem = 'database_unavailable';
  /** SQLSTATE of a server or pooler that still answered; undefined without an answer. */
  readonly code: string | undefined;

  constructor(reason: string, code?: string) {
    super(`the database is unavailable: ${reason}`);
    this.code = code;
  }

  /** The connection itself is lost or silent; false when the server only cancelled the statement or lacks resources for it. */
  get lost(): boolean {
    return this.code === undefined || this.code.startsWith('57P') || this.code.startsWith('08');
  }
}

/**
 * The remedy. `setup`: the operator, by migrations or grants; `passing`: a retry may succeed; `statement`: a defect here, since
 * the statement breaks a constraint, has a value that cannot be stored, or is no SQL.
 */
export type DatabaseFault = 'setup' | 'passing' | 'statement';

interface Refused {
  readonly table?: string | undefined;
  readonly constraint?: string | undefined;
  /** Postgres' own primary message; only where it cannot hold a value. */
  readonly message?: string | undefined;
}

/** Postgres refused the statement. Carries no value of a parameter or a row. */
export class DatabaseError extends Error {
  override readonly name: string = 'DatabaseError';
  /** SQLSTATE, five characters: PostgreSQL manual, appendix A. */
  readonly code: string;
  readonly constraint: string | undefined;
  readonly table: string | undefined;

  constructor(code: string, refused: Refused = {}) {
    const where = refused.table === undefined ? '' : ` on ${refused.table}`;
    const which = refused.constraint === undefined ? '' : ` (${refused.constraint})`;
    const why = refused.message === undefined ? '' : `: ${refused.message}`;
    const advice = adviceOn(code);
    super(`Postgres refused the statement with ${code}${where}${which}${why}${advice && `; ${advice}`}`);
    this.code = code;
    this.constraint = refused.constraint;
    this.table = refused.table;
  }

  /** A retry of the transaction may succeed: serialization failure or deadlock. */
  get retryable(): boolean {
    return this.code === '40001' || this.code === '40P01';
  }

  get fault(): DatabaseFault {
    if (adviceOn(this.code) !== '') return 'setup';
    return this.retryable || PASSING.has(this.code) ? 'passing' : 'statement';
  }

  /** Its code in the answer to a caller. */
  get problem(): Code {
    return PROBLEMS[this.fault];
  }
}

const PROBLEMS = {
  setup: 'database_misconfigured',
  passing: 'database_unavailable',
  statement: 'internal_error',
} as const satisfies Record<DatabaseFault, Code>;

const UNIQUE_VIOLATION = '23505';

/** Another row has this key; `constraint` names it. Expected in races of inserts, so the caller of the statement decides. */
export class UniqueViolation extends DatabaseError {
  override readonly name = 'UniqueViolation';

  constructor(refused: Refused = {}) {
    super(UNIQUE_VIOLATION, refused);
  }
}

/** 55P03 lock held by another session, 25006 read-only server, as after a failover, 26000 a pooler changed the connection. */
const PASSING = new Set(['55P03', '25006', '26000']);

export const UNDEFINED_COLUMN = '42703';

/** Undefined table, column, function, object or schema. */
const LACKING = new Set(['42P01', UNDEFINED_COLUMN, '42883', '42704', '3F000']);

/** Advice to the operator; empty where none helps. */
function adviceOn(code: string): string {
  if (LACKING.has(code)) return 'are all migrations done? `sallyport db migrate`';
  if (code === '42501') return 'the role of DATABASE_URL lacks a privilege';
  if (code.startsWith('28')) return 'look at the role and the password of DATABASE_URL';
  return code === '3D000' ? 'the database that DATABASE_URL names does not exist' : '';
}

/** A row does not have the expected shape; usually a migration is missing. */
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

/** 57014 statement time-out; 57P0x shutdown, crash, starting up, dropped, idle too long. */
const AWAY = new Set(['57014', '57P01', '57P02', '57P03', '57P04', '57P05']);

/** 08 connection, 53 disk, memory or connections exhausted, 58 system error. */
const AWAY_CLASSES = new Set(['08', '53', '58']);

/**
 * Undefined or ambiguous names, syntax, privileges, and authentication: the message quotes names and the statement's text,
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
  if (AWAY.has(code) || AWAY_CLASSES.has(code.slice(0, 2)))
    return new DatabaseUnavailable(`SQLSTATE ${code}`, code);
  const shown = trusted || ABOUT_NAMES.has(code) ? message : undefined;
  const refused = { table, constraint, message: shown };
  return code === UNIQUE_VIOLATION ? new UniqueViolation(refused) : new DatabaseError(code, refused);
}

const NetworkError = z.object({ code: z.string().regex(/^[A-Z_]+$/) });

function networkReason(error: unknown): string {
  const coded = NetworkError.safeParse(error);
  if (coded.success) return coded.data.code;
  if (error instanceof AggregateError) return networkReason(error.errors[0]);
  return messageOf(error);
}
