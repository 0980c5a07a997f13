import type { RowParser, Sql } from '../database/sql.ts';

export {
  DatabaseError,
  DatabaseUnavailable,
  UNDEFINED_COLUMN,
  UnexpectedRow,
  UniqueViolation,
} from '../database/errors.ts';
export { empty, identifier, join, json, parseRows, sql } from '../database/sql.ts';
export type { RowParser, Sql, SqlValue } from '../database/sql.ts';

export interface Result {
  /** Unparsed rows, one object per row; empty for a statement without RETURNING. */
  readonly rows: readonly unknown[];
  /** Rows returned or changed. */
  readonly count: number;
}

export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

export interface TransactionOptions {
  /** Default: read committed. */
  readonly isolation?: Isolation;
}

/**
 * Postgres, over any driver. All of them return the same values:
 * int2, int4, oid, float4, float8 as number; int8 as number, and an int8 beyond ±(2^53-1) is refused, never rounded
 * (select it `::text`); numeric, uuid, date, time, timestamp without zone, interval and all other types as Postgres' text;
 * bool as boolean; timestamptz as Date (milliseconds); json and jsonb parsed; bytea as Uint8Array;
 * arrays of these as arrays, within arrays where they have more dimensions.
 *
 * Throws `DatabaseUnavailable` (no answer: connection, time-out, shutdown; a write may have happened or not),
 * `DatabaseError` (Postgres refused; nothing was changed) or `UnexpectedRow` (the parser refused a row).
 */
export interface Database {
  query<T>(statement: Sql, row: RowParser<T>): Promise<T[]>;
  /** Rows changed. */
  execute(statement: Sql): Promise<number>;
  /** All of the statements or none, in order; one result for each. No code runs between them. */
  transaction(statements: readonly Sql[], options?: TransactionOptions): Promise<Result[]>;
  ping(): Promise<void>;
  close(): Promise<void>;
}
