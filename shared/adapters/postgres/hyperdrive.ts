import { sql, type Database, type Sql } from '../../ports/database.ts';
import type { Background } from '../../ports/runtime.ts';

export interface HyperdriveOptions {
  /** The binding's `connectionString`. */
  readonly url: string;
  readonly background: Background;
}

/**
 * Postgres through Hyperdrive's pool. A socket belongs to the request that opened it, and this adapter has no request scope:
 * so each call has a connection of its own, to a pool nearby.
 */
export function openHyperdriveDatabase({ url, background }: HyperdriveOptions): Database {
  const connected = async <T>(work: (database: Database) => Promise<T>): Promise<T> => {
    // Imported lazily: an isolate without queries does not even evaluate the driver.
    const { openPgDatabase } = await import('./pg.ts');
    const database = openPgDatabase({ url, max: 1, pooled: true });
    try {
      return await work(database);
    } finally {
      background(database.close());
    }
  };
  return {
    query: (statement, row) => connected((database) => database.query(fresh(statement), row)),
    execute: (statement) => connected((database) => database.execute(fresh(statement))),
    transaction: (statements, options) =>
      connected((database) => database.transaction(statements.map(fresh), options)),
    ping: () => connected((database) => database.execute(fresh(sql`select 1`))).then(() => undefined),
    close: () => Promise.resolve(),
  };
}

/**
 * Hyperdrive answers from a cache unless created without one, and a stale read of a removal gives access back.
 * It caches no statement whose text names a non-immutable function; docs/deploy.md requires a Hyperdrive without a cache besides.
 */
function fresh(statement: Sql): Sql {
  return sql`${statement} /* now() */`;
}
