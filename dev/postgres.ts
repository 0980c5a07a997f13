import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { LOOPBACK } from './listen.ts';

export interface Postgres {
  /** postgres:// URL on loopback, without TLS. */
  readonly url: string;
  close(): Promise<void>;
}

/** PGlite executes one statement at a time; more connections than this wait for nothing but memory. */
const MAX_CONNECTIONS = 64;

/** Postgres in this process. In memory unless `dataDir` names a folder. */
export async function startPostgres(options: { readonly dataDir?: string } = {}): Promise<Postgres> {
  const db = await PGlite.create(options.dataDir === undefined ? {} : { dataDir: options.dataDir });
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
