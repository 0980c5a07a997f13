import type { Database, Isolation, Result, TransactionOptions } from '../ports/database.ts';
import { UnexpectedRow } from './errors.ts';
import { decodeRows, parseRows, type RawResult } from './rows.ts';
import { compile, sql, type Sql, type Statement } from './sql.ts';

/** An adapter's part. Rejects with errors already mapped by `toDatabaseError`. */
export interface DatabaseDriver {
  run(statement: Statement): Promise<RawResult>;
  transact(statements: readonly Statement[], isolation: Isolation): Promise<RawResult[]>;
  close(): Promise<void>;
}

export function createDatabase(driver: DatabaseDriver): Database {
  return {
    query: async (statement, row) => parseRows(decode(await driver.run(compile(statement))), row),
    execute: async (statement) => (await driver.run(compile(statement))).count,
    transaction: async (statements: readonly Sql[], options: TransactionOptions = {}): Promise<Result[]> => {
      if (statements.length === 0) return [];
      const results = await driver.transact(statements.map(compile), options.isolation ?? 'read committed');
      return results.map((result) => ({ rows: decode(result), count: result.count }));
    },
    ping: async () => {
      await driver.run(compile(sql`select 1`));
    },
    close: () => driver.close(),
  };
}

function decode(result: RawResult): unknown[] {
  try {
    return decodeRows(result);
  } catch (cause) {
    throw new UnexpectedRow('a value cannot be read', { cause });
  }
}
