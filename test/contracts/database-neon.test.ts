import { afterAll, beforeAll, describe } from 'vitest';
import { openNeonDatabase } from '../../shared/adapters/postgres/neon.ts';
import { startNeonEndpoint, type NeonEndpoint } from '../services/neon.ts';
import { postgresMissing, startPostgres, type PostgresService } from '../services/postgres.ts';
import { databaseContract, unavailableContract } from './database.contract.ts';

describe.skipIf(postgresMissing)(
  'Neon over a stand-in of its endpoint (needs the postgresql package)',
  () => {
    let service: PostgresService | undefined;
    let neon: NeonEndpoint;
    beforeAll(async () => {
      service = await startPostgres();
      neon = await startNeonEndpoint();
    });
    afterAll(async () => {
      await neon.close();
      await service?.close();
    });

    const open = (endpoint: string, timeoutMs: number) =>
      openNeonDatabase({ url: `${service!.url}?sslmode=disable`, fetch, endpoint, timeoutMs });

    databaseContract('Neon', async () => open(neon.endpoint, 15_000));
    unavailableContract('Neon', async (state) =>
      open(state === 'away' ? 'http://127.0.0.1:1/sql' : neon.endpoint, 300),
    );
  },
);
