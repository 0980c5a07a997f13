import { Client } from 'pg';
import { createDatabase } from '../../database/driver.ts';
import { DatabaseUnavailable, toDatabaseError } from '../../database/errors.ts';
import type { DatabaseSession, OpenSession } from '../../database/session.ts';
import { runOnClient } from './pg.ts';
import { isDirect, processId, setUp } from './connection.ts';
import { connectionTo } from './tls.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** Node only. No statement time-out, since an index over ten million rows takes long; locks are bounded instead. */
export const openPgSession: OpenSession = async (url) => {
  const connection = {
    ...(await guarded(() => connectionTo(url, CONNECT_TIMEOUT_MS))),
    application_name: 'sallyport db',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  };
  const client = new Client(connection);
  // The running statement rejects anyway; without a listener a lost connection would end the process.
  client.on('error', () => undefined);
  await guarded(() => client.connect());
  // A server may fall silent behind its greeting; ending the client cuts what it waits for.
  const late = setTimeout(() => void client.end(), CONNECT_TIMEOUT_MS);
  try {
    await guarded(() => setUp(client, 0));
  } finally {
    clearTimeout(late);
  }
  return sessionOf(client, () => new Client(connection));
};

function sessionOf(client: Client, another: () => Client): DatabaseSession {
  const database = createDatabase({
    run: (statement) => guarded(() => runOnClient(client, statement)),
    transact: () => Promise.reject(new DatabaseUnavailable('a session has no batches')),
    close: () => client.end(),
  });
  return {
    query: (statement, row) => database.query(statement, row),
    execute: (statement) => database.execute(statement),
    script: async (text) => {
      await guarded(() => client.query(text), true);
    },
    direct: () => guarded(() => isDirect(client)),
    cancel: () => cancel(client, another()),
    close: () => database.close(),
  };
}

async function cancel(client: Client, second: Client): Promise<void> {
  await guarded(() => second.connect());
  try {
    await guarded(() => second.query('select pg_cancel_backend($1)', [processId(client)]));
  } finally {
    await second.end();
  }
}

async function guarded<T>(work: () => Promise<T>, trusted = false): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toDatabaseError(error, trusted);
  }
}
