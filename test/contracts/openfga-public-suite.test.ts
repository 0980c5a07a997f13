import { afterAll, describe, expect, it } from 'vitest';
import { FULL } from '../support/scale.ts';
import { startOpenFga } from '../../dev/openfga/index.ts';
import { startRealOpenFga } from '../services/openfga.ts';
import { loadPublicSuite } from './openfga/public-suite.ts';
import { canBeContextual, runCase, type Kind } from './openfga/suite-runner.ts';

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
    `${name} answers OpenFGA's public test suite${server ? '' : missing}`,
    () => {
      const made: Record<Kind, number> = { check: 0, listObjects: 0, listUsers: 0 };

      async function holds(testCase: (typeof cases)[number], source: 'stored' | 'contextual'): Promise<void> {
        const tally = await runCase(server?.url ?? '', testCase, source);
        for (const kind of Object.keys(made) as Kind[]) made[kind] += tally.made[kind];
        expect(tally.failures).toEqual([]);
      }

      afterAll(async () => {
        await server?.close();
      });

      const cases = suite ?? [];
      it.each(cases)('$name', (testCase) => holds(testCase, 'stored'));
      it.each(cases.filter(canBeContextual))('$name, with contextual tuples only', (testCase) =>
        holds(testCase, 'contextual'),
      );

      it('makes every kind of assertion', () => {
        for (const count of Object.values(made)) expect(count).toBeGreaterThan(200);
      });
    },
  );
}
