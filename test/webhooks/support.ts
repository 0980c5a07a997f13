import { migrate } from '../../cli/db/migrate.ts';
import { readMigrations } from '../../cli/db/files.ts';
import { startPostgres as startPglite } from '../../dev/postgres.ts';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import type { Database } from '../../shared/ports/database.ts';
import { MIGRATIONS, options } from '../db/support.ts';
import { postgresMissing, startPostgres } from '../services/postgres.ts';

export { envelope, eventOf, ISSUER, type EnvelopeOptions } from './events.ts';

export interface TestDatabase {
  readonly url: string;
  readonly database: Database;
  close(): Promise<void>;
}

/** Where the inbox lives in tests. `missing` is for `describe.skipIf`. */
export const DATABASES = [
  { name: 'PGlite', missing: false, open: () => opened(startPglite()) },
  {
    name: 'Postgres (needs the postgresql package)',
    missing: postgresMissing,
    open: () => opened(startReal()),
  },
] as const;

async function startReal() {
  return (await startPostgres())!;
}

async function opened(starting: Promise<{ url: string; close(): Promise<void> }>): Promise<TestDatabase> {
  const server = await starting;
  const session = await openPgSession(server.url);
  await migrate(session, await readMigrations(MIGRATIONS), options);
  await session.close();
  const database = openPgDatabase({ url: server.url, max: 8 });
  return {
    url: server.url,
    database,
    close: async () => {
      await database.close();
      await server.close();
    },
  };
}
