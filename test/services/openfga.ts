import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** A real OpenFGA of this test alone, on free loopback ports. */
export interface OpenFgaService {
  readonly url: string;
  close(): Promise<void>;
}

/** A watchdog: what a loaded machine makes slow does not fail. */
const START_LIMIT_MS = 300_000;
const POLL_MS = 25;

export interface OpenFgaOptions {
  readonly apiToken?: string;
  /** A Postgres database, whose tables are made where they are missing. Absent: in memory. */
  readonly databaseUrl?: string;
  /** An SQLite database, for many tuples: in memory each write and each page takes as long as there are tuples. */
  readonly file?: string;
}

/** Undefined when the binary is not there; with REQUIRE_SERVICES=1 that is a failure. */
export async function startRealOpenFga(options: OpenFgaOptions = {}): Promise<OpenFgaService | undefined> {
  const binary = openFgaBinary();
  if (binary === undefined) return undefined;
  const store = storeOf(options);
  if (!store.includes('memory')) await promisify(execFile)(binary, ['migrate', ...store]);
  const [http, grpc] = [await freePort(), await freePort()];
  const server = spawn(binary, argumentsFor(http, grpc, store, options.apiToken), { stdio: 'ignore' });
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

function storeOf({ databaseUrl, file }: OpenFgaOptions): string[] {
  if (databaseUrl !== undefined) return ['--datastore-engine', 'postgres', '--datastore-uri', databaseUrl];
  if (file !== undefined) return ['--datastore-engine', 'sqlite', '--datastore-uri', `file:${file}`];
  return ['--datastore-engine', 'memory'];
}

function argumentsFor(
  http: number,
  grpc: number,
  store: readonly string[],
  apiToken: string | undefined,
): string[] {
  const authentication =
    apiToken === undefined ? [] : ['--authn-method', 'preshared', '--authn-preshared-keys', apiToken];
  return [
    ...['run', ...store, '--log-level', 'none'],
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
