import { migrate } from '../../cli/db/migrate.ts';
import { readMigrations } from '../../cli/db/files.ts';
import { startPostgres as startPglite } from '../../dev/postgres.ts';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import type { Database } from '../../shared/ports/database.ts';
import { MIGRATIONS, options } from '../db/support.ts';
import { postgresMissing, sharedPostgres } from '../services/postgres.ts';

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
  readonly start: () => Promise<MigratedDatabase>;
}

/** Where SQL of the bundle runs. Every promise holds on all of them. */
export const DATABASES: readonly [pglite: DatabaseKind, postgres: DatabaseKind] = [
  {
    name: 'PGlite',
    missing: false,
    start: async () => {
      const server = await startPglite();
      await migrateAt(server.url);
      return opened(server.url, () => server.close());
    },
  },
  {
    name: 'Postgres (needs the postgresql package)',
    missing: postgresMissing,
    start: async () => {
      const server = await sharedPostgres();
      migrated ??= server.createDatabase('migrated').then(migrateAt);
      const url = await server.createDatabase('test', await migrated);
      return opened(url, () => server.dropDatabase(url));
    },
  },
];

/** For what promises nothing about databases: the real one where it is. */
export const DATABASE = postgresMissing ? DATABASES[0] : DATABASES[1];

/** A database without migrations: the real one where it is. */
export async function emptyDatabase(): Promise<{ readonly url: string; close(): Promise<void> }> {
  if (postgresMissing) return startPglite();
  const server = await sharedPostgres();
  const url = await server.createDatabase('empty');
  return { url, close: () => server.dropDatabase(url) };
}

/** Of waits that a busy machine makes long, and that are not the subject of a test. */
export const WATCHDOG_MS = 300_000;

/** The name of one that others are copied from. */
let migrated: Promise<string> | undefined;

/** Answers with the name of the database. */
async function migrateAt(url: string): Promise<string> {
  const session = await openPgSession(url);
  await migrate(session, await readMigrations(MIGRATIONS), options);
  await session.close();
  return new URL(url).pathname.slice(1);
}

function opened(url: string, end: () => Promise<void>): MigratedDatabase {
  const pools: Database[] = [];
  const another = (): Database => {
    const database = openPgDatabase({
      url,
      max: 8,
      connectTimeoutMs: WATCHDOG_MS,
      statementTimeoutMs: WATCHDOG_MS,
    });
    pools.push(database);
    return database;
  };
  return {
    url,
    database: another(),
    another,
    async close() {
      await Promise.all(pools.map((database) => database.close()));
      await end();
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
