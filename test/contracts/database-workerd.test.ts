import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNeonEndpoint, type NeonEndpoint } from '../services/neon.ts';
import { postgresMissing, startPostgres, type PostgresService } from '../services/postgres.ts';
import { startInWorkerd, type InWorkerd } from '../support/in-workerd.ts';

describe.skipIf(postgresMissing)('inside workerd (needs the postgresql package)', () => {
  let service: PostgresService;
  let neon: NeonEndpoint;
  let worker: InWorkerd;
  beforeAll(async () => {
    service = (await startPostgres())!;
    neon = await startNeonEndpoint();
    worker = await startInWorkerd(new URL('database.worker.ts', import.meta.url), {
      variables: { DATABASE_URL: `${service.url}?sslmode=disable`, NEON_ENDPOINT: neon.endpoint },
      hyperdrives: { HYPERDRIVE: service.url },
    });
  });
  afterAll(async () => {
    await worker.close();
    await neon.close();
    await service.close();
  });

  const asInNode = {
    text: 'ünï',
    number: 7,
    date: true,
    bytes: true,
    transaction: [[{ one: 1 }], [{ two: 2 }]],
    refused: '22012',
  };
  const answer = async (driver: string): Promise<unknown> =>
    (await worker.fetch(`http://database.test/${driver}`)).json();

  it.each(['neon', 'pg'])('%s answers as it does in Node', async (driver) => {
    expect(await answer(driver)).toEqual({ ...asInNode, slow: 'unavailable', away: 'unavailable' });
  });

  // No slow statement: wrangler's stand-in of Hyperdrive ends the whole process when a busy connection is cut.
  it('hyperdrive answers as it does in Node, and asks nothing that Hyperdrive would answer from its cache', async () => {
    const text = 'select current_query() as text /* now() */';
    expect(await answer('hyperdrive')).toEqual({ ...asInNode, queried: text, batched: text });
  });
});
