import { afterAll, beforeAll, describe } from 'vitest';
import { assertionPromises } from './openfga/assertions.ts';
import { bearerPromises } from './openfga/bearer.ts';
import { checkPromises } from './openfga/checks.ts';
import { depthPromises } from './openfga/depth.ts';
import { listPromises } from './openfga/lists.ts';
import { modelPromises } from './openfga/models.ts';
import { readPromises } from './openfga/reads.ts';
import { storePromises } from './openfga/stores.ts';
import { transportPromises } from './openfga/transport.ts';
import { writePromises } from './openfga/writes.ts';

export interface RunningServer {
  readonly url: string;
  close(): Promise<void>;
}

const AREAS = {
  transport: transportPromises,
  stores: storePromises,
  models: modelPromises,
  writes: writePromises,
  reads: readPromises,
  checks: checkPromises,
  'depth and cycles': depthPromises,
  'lists and expansion': listPromises,
  assertions: assertionPromises,
};

/** What an OpenFGA server owes its callers over HTTP; true of every server `start` gives. */
export function openFgaContract(start: () => Promise<RunningServer>): void {
  const { url } = whileRunning(start);
  for (const [area, promises] of Object.entries(AREAS)) {
    describe(area, () => {
      promises(url);
    });
  }
}

/** What it owes when it is started with the API token `secret`. */
export function openFgaTokenContract(start: () => Promise<RunningServer>): void {
  bearerPromises(whileRunning(start).url);
}

/** Starts the server before the tests of the suite around and stops it after them. */
function whileRunning(start: () => Promise<RunningServer>): { readonly url: () => string } {
  let server: RunningServer | undefined;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => {
    await server?.close();
  });
  return { url: () => server?.url ?? '' };
}
