import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import packageFile from '../package.json' with { type: 'json' };
import { LOOPBACK } from './listen.ts';

export interface Postgres {
  /** postgres:// URL on loopback, without TLS. */
  readonly url: string;
  close(): Promise<void>;
}

/** PGlite executes one statement at a time; more connections than this wait for nothing but memory. */
const MAX_CONNECTIONS = 64;

/** Postgres in this process, in memory. */
export async function startPostgres(): Promise<Postgres> {
  const db = await newCluster();
  keepExchangesWhole(db);
  const server = new PGLiteSocketServer({ db, host: LOOPBACK, port: 0, maxConnections: MAX_CONNECTIONS });
  await server.start();
  return {
    url: `postgres://postgres@${server.getServerConn()}/postgres?sslmode=disable`,
    close: async () => {
      await server.stop();
      await db.close();
    },
  };
}

const VERSION = packageFile.devDependencies['@electric-sql/pglite'];
const KEPT = fileURLToPath(
  new URL(`../node_modules/.cache/sallyport/pglite-${VERSION}.tar.gz`, import.meta.url),
);

/** An empty cluster. Making one takes three times as long as all else of a start, so the first is kept as a file. */
async function newCluster(): Promise<PGlite> {
  const kept = await readFile(KEPT).catch(() => undefined);
  if (kept !== undefined) return PGlite.create({ loadDataDir: new Blob([kept]) });
  const db = await PGlite.create();
  // Where nothing can be written, each start makes its own.
  await keep(await db.dumpDataDir('gzip')).catch(() => undefined);
  return db;
}

async function keep(cluster: Blob): Promise<void> {
  const draft = `${KEPT}.${process.pid}`;
  await mkdir(dirname(KEPT), { recursive: true });
  await writeFile(draft, cluster.stream());
  await rename(draft, KEPT);
}

/** Of the extended protocol: Bind, Close, Describe, Execute, Flush, Parse; Sync ends what they began. */
const BEFORE_SYNC = new Set(Buffer.from('BCDEHP'));

/** A simple query. */
const RESET = Buffer.from('Q\0\0\0\x16reset search_path\0', 'latin1');

/**
 * The socket server takes messages of its connections in turns: between the Parse of one and its Bind another's Parse would
 * take the unnamed statement's place (SQLSTATE 26000). It waits for a connection only in a transaction, so an exchange that
 * has begun counts as one.
 */
function keepExchangesWhole(db: PGlite): void {
  const inTransaction = db.isInTransaction.bind(db);
  const send = db.execProtocolRawStream.bind(db);
  const exec = db.exec.bind(db);
  let begun = false;
  db.isInTransaction = () => begun || inTransaction();
  db.execProtocolRawStream = async (message, options) => {
    // A startup message has no type (protocol 3.0): settings of a connection before, as pg_dump's empty search_path, are not its own.
    if (message[0] === 0) await send(RESET, { onRawData: () => undefined });
    begun = BEFORE_SYNC.has(message[0] ?? 0);
    return send(message, options);
  };
  // The server rolls back for a connection that is gone.
  db.exec = (...query) => {
    begun = false;
    return exec(...query);
  };
}
