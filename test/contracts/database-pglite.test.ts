import { afterAll, beforeAll } from 'vitest';
import { startPostgres, type Postgres } from '../../dev/postgres.ts';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { databaseContract } from './database.contract.ts';

let pglite: Postgres;
beforeAll(async () => {
  pglite = await startPostgres();
});
afterAll(() => pglite.close());

databaseContract('pg over PGlite', async () => openPgDatabase({ url: pglite.url, max: 4 }));
