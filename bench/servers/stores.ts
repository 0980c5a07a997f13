import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LOOPBACK, reservePort } from '../../dev/listen.ts';
import { startChild, type Child } from '../children.ts';
import { path } from '../programs.ts';

export interface PostgresServer {
  /** A new empty database. */
  createDatabase(name: string): string;
  stop(): Promise<void>;
}

/** Debian keeps the server's programs out of PATH, one folder for each version. */
const DEBIAN = '/usr/lib/postgresql';
const START_MS = 20_000;
const POLL_MS = 25;
/** The disk would otherwise set the pace, for both sides alike. */
const SETTINGS = ['fsync=off', 'full_page_writes=off', 'synchronous_commit=off', 'max_connections=80'];

/** The folder of Postgres' programs; undefined when none is installed. */
export function postgresFolder(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(DEBIAN, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ];
  return folders.find((folder) => existsSync(join(folder, 'initdb')));
}

/** A Postgres of the bench alone, on a free port of loopback, in a folder that goes with it. */
export async function startPostgresServer(folder: string): Promise<PostgresServer> {
  const data = await mkdtemp(join(tmpdir(), 'sallyport-bench-pg-'));
  // The server may be another user than we are.
  await chmod(data, 0o777);
  const cluster = join(data, 'cluster');
  const port = await reservePort(0);
  run(join(folder, 'initdb'), ['-D', cluster, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync']);
  const settings = [...SETTINGS, `port=${port}`, `listen_addresses=${LOOPBACK}`];
  const args = ['-D', cluster, '-k', data, ...settings.flatMap((setting) => ['-c', setting])];
  const server = await startChild(...asPostgres(join(folder, 'postgres'), args), { port });
  await ready(join(folder, 'pg_isready'), port);
  const url = (name: string): string => `postgres://postgres@${LOOPBACK}:${port}/${name}`;
  return {
    createDatabase(name) {
      run(join(folder, 'psql'), ['-q', '-c', `create database ${name}`, url('postgres')]);
      return url(name);
    },
    async stop() {
      await server.stop();
      await rm(data, { recursive: true, force: true });
    },
  };
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(...asPostgres(command, args), { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
}

/** Postgres refuses to run as root. */
function asPostgres(command: string, args: readonly string[]): [string, string[]] {
  if (process.getuid?.() !== 0) return [command, [...args]];
  const user = ['--reuid=postgres', '--regid=postgres', '--clear-groups', '--pdeathsig', 'QUIT'];
  return ['setpriv', [...user, '--', command, ...args]];
}

/** Accepting a connection is not yet accepting a session. */
async function ready(pgIsReady: string, port: number): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline) {
    if (spawnSync(pgIsReady, ['-q', '-h', LOOPBACK, '-p', String(port)]).status === 0) return;
    await delay(POLL_MS);
  }
  throw new Error('Postgres is not ready');
}

export interface OpenFgaServer extends Child {
  readonly url: string;
}

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

/** A Redis of the bench alone that keeps nothing on disk. */
export function startRedis(port: number): Promise<Child> {
  const args = ['--port', String(port), '--bind', LOOPBACK, '--save', '', '--appendonly', 'no'];
  return startChild('redis-server', args, { port });
}
