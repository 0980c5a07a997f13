import { UnexpectedRow } from './errors.ts';

/** Anything that turns an unknown row into a typed one or throws; a zod schema is one. */
export interface RowParser<T> {
  parse(row: unknown): T;
}

/** For the rows of one result of a transaction. */
export function parseRows<T>(rows: readonly unknown[], row: RowParser<T>): T[] {
  try {
    return rows.map((candidate) => row.parse(candidate));
  } catch (cause) {
    throw new UnexpectedRow('a row is not of the expected shape', { cause });
  }
}
