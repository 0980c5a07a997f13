import { afterAll, beforeAll, describe } from 'vitest';
import { startOpenFga } from '../../dev/openfga/index.ts';
import { seed } from '../../dev/seed.ts';
import { openFgaClient } from '../../shared/adapters/openfga/client.ts';
import { undiciExchange } from '../../shared/adapters/undici/exchange.ts';
import { openFgaTuples } from '../../shared/adapters/openfga/tuples.ts';
import type { Tuples } from '../../shared/ports/tuples.ts';
import { openFgaBinary, startRealOpenFga } from '../services/openfga.ts';
import { memoryTuples } from '../support/memory-tuples.ts';
import { tuplesContract } from './tuples.contract.ts';

/** A new store with the bundle's model, emptied of the demo's tuples. */
async function storeAt(url: string): Promise<Tuples> {
  const { storeId, modelId } = await seed({ url });
  const tuples = openFgaTuples(openFgaClient({ url, storeId, modelId, apiToken: null }, undiciExchange));
  await tuples.write({ deletes: (await tuples.read({})).tuples });
  return tuples;
}

const KINDS = [
  { name: 'the stand-in', missing: false, start: startOpenFga },
  {
    name: 'OpenFGA (needs its binary)',
    missing: openFgaBinary() === undefined,
    start: async () => (await startRealOpenFga())!,
  },
];

tuplesContract('the fake of the tests', async () =>
  memoryTuples(['role', 'organization', 'feature', 'document']),
);

describe.each(KINDS)('$name', ({ name, missing, start }) => {
  describe.skipIf(missing)('over HTTP', () => {
    let server: Awaited<ReturnType<typeof start>>;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server.close());
    tuplesContract(name, () => storeAt(server.url));
  });
});
