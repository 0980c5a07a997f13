import { migrate } from '../../cli/db/migrate.ts';
import { readMigrations } from '../../cli/db/files.ts';
import { startPostgres as startPglite } from '../../dev/postgres.ts';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import type { Database } from '../../shared/ports/database.ts';
import { MIGRATIONS, options } from '../db/support.ts';
import { postgresMissing, startPostgres } from '../services/postgres.ts';

/** A database of this test alone, with every migration. */
export interface MigratedDatabase {
  readonly url: string;
  readonly database: Database;
  /** More pools on the same database, as other replicas have them. */
  another(): Database;
  close(): Promise<void>;
}

export interface DatabaseKind {
  readonly name: string;
  readonly missing: boolean;
  start(): Promise<MigratedDatabase>;
}

/** Where SQL of the bundle runs. Every promise holds on all of them. */
export const DATABASES: readonly DatabaseKind[] = [
  { name: 'PGlite', missing: false, start: async () => migrated(await startPglite()) },
  {
    name: 'Postgres (needs the postgresql package)',
    missing: postgresMissing,
    start: async () => migrated((await startPostgres())!),
  },
];

async function migrated(server: { url: string; close(): Promise<void> }): Promise<MigratedDatabase> {
  const { url } = server;
  const session = await openPgSession(url);
  await migrate(session, await readMigrations(MIGRATIONS), options);
  await session.close();
  const opened: Database[] = [];
  const another = (): Database => {
    const database = openPgDatabase({ url, max: 4 });
    opened.push(database);
    return database;
  };
  return {
    url,
    database: another(),
    another,
    async close() {
      await Promise.all(opened.map((database) => database.close()));
      await server.close();
    },
  };
}

/** The database of a process that can be stopped, as by SIGSTOP: calls wait until it goes on, those of timers included. */
export function pausable(database: Database): {
  readonly database: Database;
  pause(): void;
  goOn(): void;
} {
  let going = Promise.resolve();
  let goOn = (): void => undefined;
  return {
    database: {
      ...database,
      query: async (statement, row) => {
        await going;
        return database.query(statement, row);
      },
      execute: async (statement) => {
        await going;
        return database.execute(statement);
      },
    },
    pause() {
      going = new Promise((resolve) => {
        goOn = resolve;
      });
    },
    goOn: () => {
      goOn();
    },
  };
}
