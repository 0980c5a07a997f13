import { startOpenFga } from '../../dev/openfga/index.ts';
import { openFgaBinary, startRealOpenFga, type OpenFgaService } from '../services/openfga.ts';

/** The stand-in and, where its binary is, a real OpenFGA: for `describe.skipIf(missing)`. */
export const SERVERS: readonly {
  readonly name: string;
  readonly missing: boolean;
  readonly start: () => Promise<OpenFgaService>;
}[] = [
  { name: 'the stand-in', missing: false, start: () => startOpenFga() },
  {
    name: 'a real OpenFGA (needs .tools/openfga)',
    missing: openFgaBinary() === undefined,
    start: async () => (await startRealOpenFga())!,
  },
];

/** For what starts many processes: the real one where it is. Every promise about the API holds on both: test/contracts. */
export const SERVER = SERVERS.filter(({ missing }) => !missing).at(-1)!;
