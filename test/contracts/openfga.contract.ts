import { afterAll, beforeAll, describe } from 'vitest';
import { checkPromises } from './openfga/checks.ts';
import { depthPromises } from './openfga/depth.ts';
import { modelPromises } from './openfga/models.ts';
import { readPromises } from './openfga/reads.ts';
import { storePromises } from './openfga/stores.ts';
import { bodyPromises } from './openfga/transport.ts';
import { writePromises } from './openfga/writes.ts';

export interface RunningServer {
  readonly url: string;
  close(): Promise<void>;
}

const AREAS = {
  bodies: bodyPromises,
  stores: storePromises,
  models: modelPromises,
  writes: writePromises,
  reads: readPromises,
  checks: checkPromises,
  'depth and cycles': depthPromises,
};

/** What an OpenFGA server owes the gateway and `sallyport` over HTTP; true of every server `start` gives. */
export function openFgaContract(start: () => Promise<RunningServer>): void {
  const { url } = whileRunning(start);
  for (const [area, promises] of Object.entries(AREAS)) {
    describe(area, () => {
      promises(url);
    });
  }
}

/** Starts the server before the tests of the suite around and stops it after them. */
export function whileRunning(start: () => Promise<RunningServer>): { readonly url: () => string } {
  let server: RunningServer | undefined;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => {
    await server?.close();
  });
  return { url: () => server?.url ?? '' };
}
