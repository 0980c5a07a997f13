import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A real OpenFGA of this test alone, in memory, on free loopback ports. */
export interface OpenFgaService {
  readonly url: string;
  close(): Promise<void>;
}

/** A watchdog: what a loaded machine makes slow does not fail. */
const START_LIMIT_MS = 300_000;
const POLL_MS = 25;

/** Undefined when the binary is not there; with REQUIRE_SERVICES=1 that is a failure. */
export async function startRealOpenFga(
  options: { readonly apiToken?: string } = {},
): Promise<OpenFgaService | undefined> {
  const binary = openFgaBinary();
  if (binary === undefined) return undefined;
  const [http, grpc] = [await freePort(), await freePort()];
  const server = spawn(binary, argumentsFor(http, grpc, options.apiToken), { stdio: 'ignore' });
  const url = `http://127.0.0.1:${http}`;
  await serving(url, server);
  return { url, close: () => stop(server) };
}

/** OPENFGA_BIN, or where the project keeps its tools. */
export function openFgaBinary(): string | undefined {
  const binary = process.env['OPENFGA_BIN'] ?? new URL('../../.tools/openfga', import.meta.url).pathname;
  try {
    accessSync(binary, constants.X_OK);
    return binary;
  } catch {
    if (process.env['REQUIRE_SERVICES'] !== '1') return undefined;
    throw new Error(`REQUIRE_SERVICES=1: no OpenFGA at ${binary}; OPENFGA_BIN names another place`);
  }
}

function argumentsFor(http: number, grpc: number, apiToken: string | undefined): string[] {
  const authentication =
    apiToken === undefined ? [] : ['--authn-method', 'preshared', '--authn-preshared-keys', apiToken];
  return [
    ...['run', '--datastore-engine', 'memory', '--log-level', 'none'],
    ...['--http-addr', `127.0.0.1:${http}`, '--grpc-addr', `127.0.0.1:${grpc}`],
    ...['--playground-enabled=false', '--metrics-enabled=false'],
    ...authentication,
  ];
}

async function serving(url: string, server: ChildProcess): Promise<void> {
  const deadline = performance.now() + START_LIMIT_MS;
  while (performance.now() < deadline && server.exitCode === null) {
    const answer = await fetch(`${url}/healthz`).catch(() => undefined);
    if (answer?.ok === true) return;
    await delay(POLL_MS);
  }
  await stop(server);
  throw new Error(`OpenFGA did not serve ${url}/healthz within ${START_LIMIT_MS} ms`);
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = once(server, 'exit');
  server.kill('SIGKILL');
  await gone;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
