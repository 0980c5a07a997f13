import { Pool, type ClientBase, type PoolClient, type QueryArrayConfig } from 'pg';
import type { Database, Isolation } from '../database.ts';
import { createDatabase, type DatabaseDriver } from '../database/create.ts';
import type { RawResult } from '../database/decode.ts';
import { DatabaseError, toDatabaseError } from '../database/errors.ts';
import type { Statement } from '../database/sql.ts';

export interface PgOptions {
  readonly url: string;
  /** Connections at most. A pool belongs to one request on Workers (Hyperdrive pools behind it). Default 10. */
  readonly max?: number;
  /** Milliseconds to get a connection, waiting for a free one included. Default 5000. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds a statement may run: the server's bound, and a second more on this side. Default 15000. */
  readonly statementTimeoutMs?: number;
  /** False behind a pooler that refuses start-up parameters (PgBouncer, Hyperdrive): this side's bound alone. */
  readonly serverTimeout?: boolean;
  /** A connection was lost while nobody used it. */
  readonly onIdleError?: (reason: Error) => void;
}

const BEGIN: Readonly<Record<Isolation, string>> = {
  'read committed': 'begin isolation level read committed',
  'repeatable read': 'begin isolation level repeatable read',
  serializable: 'begin isolation level serializable',
};

/** `extended`: one statement per message even without parameters. */
interface RawQuery extends QueryArrayConfig<(string | null)[]> {
  readonly queryMode: 'extended';
}

const AS_TEXT = { getTypeParser: () => (text: string) => text };

export function openPgDatabase(options: PgOptions): Database {
  const statementTimeoutMs = options.statementTimeoutMs ?? 15_000;
  const pool = new Pool({
    connectionString: options.url,
    application_name: 'sallyport',
    max: options.max ?? 10,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    idleTimeoutMillis: 30_000,
    query_timeout: statementTimeoutMs + 1_000,
    ...(options.serverTimeout === false ? {} : { statement_timeout: statementTimeoutMs }),
  });
  // Without a listener a server restart would end the process.
  pool.on('error', (error) => options.onIdleError?.(toDatabaseError(error)));
  // The pool listens to idle connections only; one that is lost in use fails its statement, which says enough.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return createDatabase(driverOf(pool));
}

function driverOf(pool: Pool): DatabaseDriver {
  return {
    run: (statement) => borrow(pool, (client) => runOnClient(client, statement)),
    transact: (statements, isolation) => borrow(pool, (client) => transact(client, statements, isolation)),
    close: () => pool.end(),
  };
}

async function borrow<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  let client: PoolClient | undefined;
  try {
    client = await pool.connect();
    const result = await work(client);
    client.release();
    return result;
  } catch (error) {
    const known = error instanceof DatabaseError ? error : toDatabaseError(error);
    // After a time-out the connection may still be busy with the old statement: nobody else may get it.
    client?.release(!(known instanceof DatabaseError));
    throw known;
  }
}

/** For a connection that is not of a pool. */
export async function runOnClient(client: ClientBase, statement: Statement): Promise<RawResult> {
  const query: RawQuery = {
    text: statement.text,
    values: [...statement.params],
    rowMode: 'array',
    types: AS_TEXT,
    queryMode: 'extended',
  };
  const result = await client.query<(string | null)[]>(query);
  return {
    fields: result.fields.map(({ name, dataTypeID }) => ({ name, oid: dataTypeID })),
    rows: result.rows,
    count: result.rowCount ?? 0,
  };
}

async function transact(
  client: PoolClient,
  statements: readonly Statement[],
  isolation: Isolation,
): Promise<RawResult[]> {
  await client.query(BEGIN[isolation]);
  try {
    const results: RawResult[] = [];
    for (const statement of statements) results.push(await runOnClient(client, statement));
    await client.query('commit');
    return results;
  } catch (error) {
    const known = toDatabaseError(error);
    if (known instanceof DatabaseError) await client.query('rollback');
    throw known;
  }
}
