import { describe } from 'vitest';
import { openFgaBinary, startRealOpenFga } from '../services/openfga.ts';
import { openFgaContract, whileRunning, type RunningServer } from './openfga.contract.ts';
import { bearerPromises } from './openfga/bearer.ts';
import { unknownEndpointPromises } from './openfga/transport.ts';

const binary = openFgaBinary();
const skipped = binary === undefined ? ' (skipped: no binary, see OPENFGA_BIN)' : '';

async function start(options: { readonly apiToken?: string } = {}): Promise<RunningServer> {
  const server = await startRealOpenFga(options);
  if (server === undefined) throw new Error('the OpenFGA binary has gone');
  return server;
}

describe.skipIf(binary === undefined)(`a real OpenFGA${skipped}`, () => {
  openFgaContract(() => start());
});

describe.skipIf(binary === undefined)(`a real OpenFGA with an API token${skipped}`, () => {
  const { url } = whileRunning(() => start({ apiToken: 'secret' }));
  bearerPromises(url);
  unknownEndpointPromises(url);
});
