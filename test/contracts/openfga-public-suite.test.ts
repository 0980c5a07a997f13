import { afterAll, describe, expect, it } from 'vitest';
import { FULL } from '../support/scale.ts';
import { startOpenFga } from '../../dev/openfga/index.ts';
import { startRealOpenFga } from '../services/openfga.ts';
import { loadPublicSuite, runCase } from './openfga/public-suite.ts';

const suite = loadPublicSuite();
const servers = [
  { name: 'the stand-in', server: suite && (await startOpenFga()), absent: '' },
  {
    name: 'a real OpenFGA',
    server: suite && (await startRealOpenFga()),
    absent: ' (no binary: see OPENFGA_BIN)',
  },
];

for (const { name, server, absent } of servers) {
  const missing = suite === undefined ? ' (no suite: see OPENFGA_SUITE)' : absent;
  describe.skipIf(server === undefined || !FULL)(
    `${name} answers the checks of OpenFGA's public test suite${server ? '' : missing}`,
    () => {
      let made = 0;
      afterAll(async () => {
        await server?.close();
      });

      it.each(suite ?? [])('$name', async (testCase) => {
        const { count, failures } = await runCase(server?.url ?? '', testCase);
        made += count;
        expect(failures).toEqual([]);
      });

      it('makes hundreds of checks', () => {
        expect(made).toBeGreaterThan(300);
      });
    },
  );
}
