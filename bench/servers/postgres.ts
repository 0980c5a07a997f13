import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LOOPBACK, reservePort } from '../../dev/listen.ts';
import { startChild } from '../children.ts';

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
