import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { LOOPBACK, reservePort } from '../../dev/listen.ts';
import { path } from '../bundles.ts';
import { startChild, type Child } from '../children.ts';

export interface OpenFgaServer extends Child {
  readonly url: string;
}

const START_MS = 20_000;
const POLL_MS = 25;

/** OPENFGA_BIN, or where the project keeps its tools; undefined when there is none. */
export function openFgaBinary(): string | undefined {
  const binary = process.env['OPENFGA_BIN'] ?? path('.tools/openfga');
  try {
    accessSync(binary, constants.X_OK);
    return binary;
  } catch {
    return undefined;
  }
}

/** OpenFGA over the Postgres at `databaseUrl`, its tables made. */
export async function startOpenFgaServer(binary: string, databaseUrl: string): Promise<OpenFgaServer> {
  const store = ['--datastore-engine', 'postgres', '--datastore-uri', databaseUrl];
  const migrated = spawnSync(binary, ['migrate', ...store], { encoding: 'utf8' });
  if (migrated.status !== 0) throw new Error(`openfga migrate failed: ${migrated.stderr}`);
  const [http, grpc] = [await reservePort(0), await reservePort(0)];
  const args = [
    ...['run', ...store, '--log-level', 'none', '--http-addr', `${LOOPBACK}:${http}`],
    ...['--grpc-addr', `${LOOPBACK}:${grpc}`, '--playground-enabled=false', '--metrics-enabled=false'],
  ];
  const child = await startChild(binary, args, { port: http });
  const url = `http://${LOOPBACK}:${http}`;
  await healthy(url);
  return { ...child, url };
}

async function healthy(url: string): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline) {
    const answer = await fetch(`${url}/healthz`).catch(() => undefined);
    if (answer?.ok === true) return;
    await delay(POLL_MS);
  }
  throw new Error('OpenFGA is not healthy');
}
