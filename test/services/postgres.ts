import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rename, rm, statfs } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { freemem, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';

export interface PostgresService {
  /** Superuser `postgres` on loopback TCP, database `postgres`. */
  readonly url: string;
  /** A new database on the same server: empty, or as the template is. */
  createDatabase(name: string, template?: string): Promise<string>;
  /** Cuts whoever is still connected to it. */
  dropDatabase(url: string): Promise<void>;
  /** Ends it as a crash would; `start` brings it back on the same port, with what was committed. */
  kill(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

const run = promisify(execFile);
/** Debian keeps the server's programs out of PATH, one folder for each version. */
const DEBIAN = '/usr/lib/postgresql';
const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
const folder = [
  ...versions.map((version) => join(DEBIAN, version, 'bin')),
  ...(process.env['PATH'] ?? '').split(delimiter),
].find((candidate) => existsSync(join(candidate, 'initdb')));
const required = process.env['REQUIRE_SERVICES'] === '1';

/** For `describe.skipIf`; never true when REQUIRE_SERVICES=1, so that a missing server fails. */
export const postgresMissing = folder === undefined && !required;
export const postgresBinaries = folder ?? '';

/** A test run that is killed leaves no server behind (Linux). */
const DIE_WITH_US = ['--pdeathsig', 'QUIT'];

/** Postgres and PgBouncer refuse to run as root; `setpriv` changes the user without a shell in between. */
export function asPostgres(command: string, args: readonly string[]): [string, string[]] {
  if (process.getuid?.() !== 0) return [command, [...args]];
  return [
    'setpriv',
    ['--reuid=postgres', '--regid=postgres', '--clear-groups', ...DIE_WITH_US, '--', command, ...args],
  ];
}

export async function startPostgres(): Promise<PostgresService | undefined> {
  if (folder === undefined) {
    if (required) throw new Error('REQUIRE_SERVICES=1, but no Postgres is installed');
    return undefined;
  }
  const place = await dataPlace();
  await removeOrphans(place);
  const data = await mkdtemp(join(place, `${FOLDERS}${process.pid}-`));
  await chmod(data, 0o777);
  const cluster = join(data, 'cluster');
  const { stdout: version } = await run(join(folder, 'initdb'), ['--version']);
  await run(...asPostgres('cp', ['-a', await emptyCluster(folder, version), cluster]));
  const port = await freePort();
  const launch = (): ChildProcess => serve(join(folder, 'postgres'), cluster, data, port);
  let server = launch();
  const orphaned = (): void => {
    server.kill('SIGQUIT');
    // In a process of its own: vitest gives this one half a second to end.
    spawn('rm', ['-rf', data], { detached: true, stdio: 'ignore' }).unref();
  };
  process.once('exit', orphaned);
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await answering(port, server);
  const execute = async (statement: string): Promise<void> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query(statement).finally(() => client.end());
  };
  const kill = async (): Promise<void> => {
    const gone = once(server, 'exit');
    server.kill('SIGQUIT');
    await gone;
  };
  return {
    url,
    createDatabase: async (name, template = 'template1') => {
      await execute(`create database ${name} template ${template}${asFiles(version)}`);
      return url.replace(/\/postgres$/, `/${name}`);
    },
    dropDatabase: (dropped) => execute(`drop database ${new URL(dropped).pathname.slice(1)} with (force)`),
    kill,
    start: async () => {
      server = launch();
      await answering(port, server);
    },
    close: async () => {
      process.off('exit', orphaned);
      await kill();
      await rm(data, { recursive: true, force: true });
    },
  };
}

const FOLDERS = 'sallyport-pg-';
const SHARED_MEMORY = '/dev/shm';
const GIB = 2 ** 30;

/** Memory where there is plenty: on a disk that others write to, making a database takes ten times as long, and more of the processor. */
async function dataPlace(): Promise<string> {
  const { bavail, bsize } = await statfs(SHARED_MEMORY).catch(() => ({ bavail: 0, bsize: 0 }));
  return bavail * bsize > 4 * GIB && freemem() > 6 * GIB ? SHARED_MEMORY : tmpdir();
}

/** What processes left that could not end their server themselves. */
async function removeOrphans(place: string): Promise<void> {
  for (const name of await readdir(place)) {
    const pid = name.startsWith(FOLDERS) ? /^\d+(?=-)/.exec(name.slice(FOLDERS.length)) : null;
    if (pid !== null && !existsSync(`/proc/${pid[0]}`))
      await rm(join(place, name), { recursive: true, force: true });
  }
}

/** From 15 on a template is copied through the log of the server unless told, which takes four times as long. */
function asFiles(version: string): string {
  return Number(/\d+/.exec(version)) < 15 ? '' : ' strategy file_copy';
}

/** A cluster that no server has used yet. Making one takes longer than all else of a start, so the first is kept. */
async function emptyCluster(programs: string, version: string): Promise<string> {
  const kept = join(
    tmpdir(),
    `sallyport-cluster-${process.getuid?.() ?? 0}-${version.replace(/[^\w.]+/g, '-')}`,
  );
  if (existsSync(kept)) return kept;
  const draft = await mkdtemp(join(tmpdir(), 'sallyport-cluster-'));
  await chmod(draft, 0o777);
  const cluster = join(draft, 'cluster');
  const initdb = ['-D', cluster, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  await run(...asPostgres(join(programs, 'initdb'), initdb));
  // Several may make one at the same time: whoever renames first wins, and all are alike.
  await rename(cluster, kept).catch(() => undefined);
  await rm(draft, { recursive: true, force: true });
  return kept;
}

let shared: Promise<PostgresService> | undefined;
let databases = 0;

/**
 * The one server of this process, for tests that need databases and never kill their server. It ends with the process;
 * `close` of a test lets it be, and no two databases have one name.
 */
export async function sharedPostgres(): Promise<PostgresService> {
  shared ??= startPostgres().then((started) => {
    if (started === undefined) throw new Error('no Postgres is installed');
    // How vitest ends a process: by itself the signal would leave no time to end the server.
    process.once('SIGTERM', () => process.exit());
    return {
      ...started,
      createDatabase: (name, template) => started.createDatabase(`${name}_${(databases += 1)}`, template),
      close: () => Promise.resolve(),
    };
  });
  return shared;
}

function serve(binary: string, cluster: string, sockets: string, port: number): ChildProcess {
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${sockets}`,
    'fsync=off',
    'full_page_writes=off',
    'max_connections=60',
    'log_min_messages=fatal',
  ];
  const args = ['-D', cluster, ...settings.flatMap((setting) => ['-c', setting])];
  return spawn(...asPostgres(binary, args), { stdio: 'ignore' });
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no TCP port');
  return address.port;
}

/** Until the server answers SSLRequest: it does so from the moment it accepts sessions or refuses them by protocol. */
async function answering(port: number, server: ChildProcess): Promise<void> {
  const pgIsReady = join(postgresBinaries, 'pg_isready');
  for (;;) {
    if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}`);
    try {
      await run(pgIsReady, ['-q', '-h', '127.0.0.1', '-p', String(port), '-t', '5']);
      return;
    } catch {
      await connectable(port);
    }
  }
}

/** One round through the network, so that the loop above does not spin. */
function connectable(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.once('connect', () => socket.end());
    socket.once('error', () => undefined);
    socket.once('close', () => {
      resolve();
    });
  });
}
