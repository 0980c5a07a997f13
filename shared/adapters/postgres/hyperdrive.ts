import { sql, type Database, type Sql } from '../../ports/database.ts';
import type { Background } from '../../ports/runtime.ts';

export interface HyperdriveOptions {
  /** The binding's `connectionString`. */
  readonly url: string;
  readonly background: Background;
}

/**
 * Postgres through the pool that Hyperdrive keeps. A socket belongs to the request that opened it, and nothing here knows
 * where a request begins or ends: so each call has a connection of its own, to a pool that is next door.
 */
export function openHyperdriveDatabase({ url, background }: HyperdriveOptions): Database {
  const connected = async <T>(work: (database: Database) => Promise<T>): Promise<T> => {
    // Only here: an isolate that asks no database does not even evaluate the driver.
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
 * Hyperdrive answers from a cache unless it was made without one, and a removal read from a cache is an access given back.
 * It caches nothing whose text names a function that changes; docs/deploy.md asks for a Hyperdrive without a cache besides.
 */
function fresh(statement: Sql): Sql {
  return sql`${statement} /* now() */`;
}
