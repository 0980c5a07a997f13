import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** A real redis-server of this test alone, on a free loopback port; nothing is written to disk. */
export interface RedisService {
  readonly url: string;
  /** Kills it, as a crash would; `start` brings an empty one back on the same port. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Stops it from answering, connections stay open; `resume` lets it go on. */
  freeze(): void;
  resume(): void;
  close(): Promise<void>;
}

/** A cluster of one node, which refuses what spans several slots as any cluster does. */
export async function startRedisCluster(): Promise<RedisService | undefined> {
  const port = String(await freePort());
  return startRedis([
    '--cluster-enabled',
    'yes',
    '--cluster-port',
    port,
    '--cluster-require-full-coverage',
    'no',
  ]);
}

/** Undefined when redis-server is not installed; with REQUIRE_SERVICES=1 that is a failure. */
export async function startRedis(settings: readonly string[] = []): Promise<RedisService | undefined> {
  const binary = ['redis-server', 'valkey-server'].map(onPath).find((path) => path !== undefined);
  if (binary === undefined) {
    if (process.env['REQUIRE_SERVICES'] === '1')
      throw new Error('REQUIRE_SERVICES=1: redis-server is not installed');
    return undefined;
  }
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-redis-'));
  const port = await freePort();
  let server = await launch(binary, port, directory, settings);
  const kill = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, 'exit');
    server.kill('SIGKILL');
    await gone;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    kill,
    start: async () => {
      server = await launch(binary, port, directory, settings);
    },
    freeze: () => void server.kill('SIGSTOP'),
    resume: () => void server.kill('SIGCONT'),
    close: async () => {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function onPath(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

async function launch(
  binary: string,
  port: number,
  directory: string,
  more: readonly string[],
): Promise<ChildProcess> {
  const settings = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory];
  const server = spawn(binary, ['--port', String(port), ...settings, ...more], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  // A test run that breaks off must not leave a server behind.
  const stop = () => server.kill('SIGKILL');
  process.once('exit', stop);
  server.once('exit', () => process.off('exit', stop));
  let log = '';
  for await (const chunk of server.stdout.iterator({ destroyOnReturn: false })) {
    log += String(chunk);
    if (log.includes('Ready to accept connections')) {
      server.stdout.resume();
      return server;
    }
  }
  throw new Error(`redis-server did not start: ${log}`);
}
