import { Pool, type ClientBase, type ClientConfig, type PoolClient, type QueryArrayConfig } from 'pg';
import type { Database, Isolation } from '../../ports/database.ts';
import { createDatabase, settingsStatement, type RawResult } from '../../database/driver.ts';
import { DatabaseError, DatabaseUnavailable, toDatabaseError } from '../../database/errors.ts';
import type { Statement } from '../../database/sql.ts';
import { setUp } from './connection.ts';

export interface PgOptions {
  readonly url: string;
  /** Connections at most. A pool belongs to one request on Workers (Hyperdrive pools behind it). Default 10. */
  readonly max?: number;
  /** Milliseconds to get a connection, including the wait for a free one. Default 5000. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds a statement may run: the server's bound, plus a second on the client. Default 15000. */
  readonly statementTimeoutMs?: number;
  /** True: a transaction pooler; otherwise each new connection is probed. */
  readonly pooled?: boolean;
  /** The driver's form of the URL; by default the URL as it is. */
  readonly connectionTo?: (url: string, timeoutMs: number) => Promise<ClientConfig>;
  /** An idle connection was lost. */
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
  const { statementTimeoutMs = 15_000 } = options;
  const pool = onceOpened(() => openPool(options, statementTimeoutMs + 1_000));
  const local = settingsStatement('transaction', statementTimeoutMs);
  /** Connections set up: true for the server's own, whose settings persist between transactions. */
  const seen = new WeakMap<ClientBase, boolean>();
  // Not as start-up parameters: PgBouncer refuses a connection that carries one it cannot keep (08P01).
  const isSettled = async (client: ClientBase): Promise<boolean> => {
    if (options.pooled === true) return false;
    const before = seen.get(client);
    if (before !== undefined) return before;
    const settled = await setUp(client, statementTimeoutMs);
    seen.set(client, settled);
    return settled;
  };
  const bounded = <T>(work: (client: PoolClient) => Promise<T>) =>
    borrow(pool, statementTimeoutMs + 1_000, work);
  return createDatabase({
    run: (statement) =>
      bounded(async (client) => {
        if (await isSettled(client)) return runOnClient(client, statement);
        const [result] = await transact(client, [statement], `${BEGIN['read committed']}; ${local}`);
        if (result === undefined) throw new Error('a transaction answers each of its statements');
        return result;
      }),
    transact: (statements, isolation) =>
      bounded(async (client) => {
        const begin = BEGIN[isolation];
        return transact(client, statements, (await isSettled(client)) ? begin : `${begin}; ${local}`);
      }),
    close: () => pool.end(),
  });
}

/** A pool that hands out no connection opened before the last loss of one. */
interface Connections {
  take(): Promise<PoolClient>;
  lost(): void;
  end(): Promise<void>;
}

async function openPool(options: PgOptions, queryTimeoutMs: number): Promise<Connections> {
  const { url, max = 10, connectTimeoutMs = 5_000, connectionTo = asItIs } = options;
  const pool = new Pool({
    ...(await connectionTo(url, connectTimeoutMs)),
    application_name: 'sallyport',
    max,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: 30_000,
    query_timeout: queryTimeoutMs,
  });
  // A restart or a failover ends all connections; on the others it may show only with their next statement.
  let sound = new WeakSet<ClientBase>();
  const lost = (): void => {
    sound = new WeakSet();
  };
  // Without a listener a server restart would end the process.
  pool.on('error', (error) => {
    lost();
    options.onIdleError?.(toDatabaseError(error));
  });
  pool.on('connect', (client) => {
    sound.add(client);
    // The pool listens to idle connections only; one lost in use fails its statement, which suffices.
    client.on('error', () => undefined);
  });
  const take = async (): Promise<PoolClient> => {
    for (;;) {
      const client = await pool.connect();
      if (sound.has(client)) return client;
      client.release(true);
    }
  };
  return { take, lost, end: () => pool.end() };
}

const asItIs = async (url: string): Promise<ClientConfig> => ({ connectionString: url });

/** One pool, opened at first use; a failure is not cached. */
function onceOpened(open: () => Promise<Connections>): { get(): Promise<Connections>; end(): Promise<void> } {
  let opening: Promise<Connections> | undefined;
  let ended = false;
  return {
    async get() {
      if (ended) throw new Error('it was closed');
      opening ??= open().catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
      return opening;
    },
    async end() {
      ended = true;
      const pool = await opening?.catch(() => undefined);
      await pool?.end();
    },
  };
}

type LazyPool = ReturnType<typeof onceOpened>;

/** `withinMs`: bound on the whole, whatever the number of statements; unfinished work then ends with its connection. */
async function borrow<T>(
  pool: LazyPool,
  withinMs: number,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  let connections: Connections | undefined;
  let client: PoolClient | undefined;
  const giveBack = (broken: boolean): void => {
    client?.release(broken);
    client = undefined;
  };
  const timer = setTimeout(giveBack, withinMs, true);
  try {
    connections = await pool.get();
    client = await connections.take();
    const result = await work(client);
    giveBack(false);
    return result;
  } catch (error) {
    const mapped = toDatabaseError(error);
    if (client !== undefined && mapped instanceof DatabaseUnavailable && mapped.lost) connections?.lost();
    // After a time-out the connection may still be busy with the old statement: it must not be reused.
    giveBack(!(mapped instanceof DatabaseError));
    throw mapped;
  } finally {
    clearTimeout(timer);
  }
}

/** Runs one statement on a given connection. */
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
  begin: string,
): Promise<RawResult[]> {
  await client.query(begin);
  try {
    const results: RawResult[] = [];
    for (const statement of statements) results.push(await runOnClient(client, statement));
    await client.query('commit');
    return results;
  } catch (error) {
    if (toDatabaseError(error) instanceof DatabaseError) await client.query('rollback');
    throw error;
  }
}
