import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asPostgres, freePort } from './postgres.ts';

/** A real PgBouncer, by default in transaction mode, as Debian configures it but for the mode, in front of a test's own Postgres. */
export interface PgBouncerService {
  /** The URL of a database behind it, by the URL that leads there without it. */
  through(url: string): string;
  close(): Promise<void>;
}

const BINARY = '/usr/sbin/pgbouncer';
const required = process.env['REQUIRE_SERVICES'] === '1';

/** For `describe.skipIf`; never true when REQUIRE_SERVICES=1, so that a missing PgBouncer fails. */
export const pgBouncerMissing = !existsSync(BINARY) && !required;

/** `connections`: of the server, shared by all clients. */
export async function startPgBouncer(
  postgres: string,
  connections: number,
  mode: 'transaction' | 'statement' = 'transaction',
): Promise<PgBouncerService> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-pgbouncer-'));
  await chmod(folder, 0o755);
  const port = await freePort();
  const { hostname, port: server, username } = new URL(postgres);
  const users = join(folder, 'users.txt');
  const settings = join(folder, 'pgbouncer.ini');
  await writeFile(users, `"${username}" ""\n`);
  await writeFile(
    settings,
    [
      '[databases]',
      `* = host=${hostname} port=${server}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = trust',
      `auth_file = ${users}`,
      `pool_mode = ${mode}`,
      `default_pool_size = ${connections}`,
    ].join('\n'),
  );
  const bouncer = spawn(...asPostgres(BINARY, [settings]), { stdio: ['ignore', 'ignore', 'pipe'] });
  const gone = once(bouncer, 'exit');
  let log = '';
  for await (const chunk of bouncer.stderr.iterator({ destroyOnReturn: false })) {
    log += String(chunk);
    if (log.includes('process up')) break;
  }
  if (!log.includes('process up')) throw new Error(`pgbouncer did not start: ${log}`);
  bouncer.stderr.resume();
  return {
    through(url) {
      const changed = new URL(url);
      changed.port = String(port);
      return changed.href;
    },
    async close() {
      bouncer.kill('SIGKILL');
      await gone;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
