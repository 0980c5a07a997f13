import { afterAll, beforeAll, describe } from 'vitest';
import { openPgDatabase } from '../../shared/adapters/database-pg.ts';
import { postgresMissing, startPostgres, type PostgresService } from '../services/postgres.ts';
import { databaseContract, unavailableContract } from './database.contract.ts';

describe.skipIf(postgresMissing)('pg over Postgres (needs the postgresql package)', () => {
  let service: PostgresService | undefined;
  beforeAll(async () => {
    service = await startPostgres();
  });
  afterAll(() => service?.close());

  databaseContract('pg', async () => openPgDatabase({ url: service!.url }));
  unavailableContract('pg', async (state) =>
    state === 'away'
      ? openPgDatabase({ url: 'postgres://postgres@127.0.0.1:1/postgres' })
      : openPgDatabase({ url: service!.url, statementTimeoutMs: 200, max: 1 }),
  );
  unavailableContract('pg as behind a pooler', async (state) =>
    state === 'away'
      ? openPgDatabase({ url: 'postgres://postgres@127.0.0.1:1/postgres', pooled: true })
      : openPgDatabase({ url: service!.url, statementTimeoutMs: 200, max: 1, pooled: true }),
  );
});
