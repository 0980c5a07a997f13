import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './postgres.ts';

export interface NginxService {
  readonly port: number;
  close(): Promise<void>;
}

const BINARY = '/usr/sbin/nginx';
const required = process.env['REQUIRE_SERVICES'] === '1';

/** For `describe.skipIf`; never true when REQUIRE_SERVICES=1, so that a missing nginx fails. */
export const nginxMissing = !existsSync(BINARY) && !required;

/** A real nginx with one of deploy/nginx/, its addresses replaced and with a certificate made for this run. */
export async function startNginx(
  file: string,
  addresses: Readonly<Record<string, string>>,
): Promise<NginxService> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-nginx-'));
  const port = await freePort();
  const [key, certificate] = [join(folder, 'tls.key'), join(folder, 'tls.crt')];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', '/CN=gateway.example.org', '-keyout', key, '-out', certificate],
  ]);
  let text = (await readFile(file, 'utf8'))
    .replace('listen 443 ssl;', `listen 127.0.0.1:${port} ssl;`)
    .replace(/(ssl_certificate) .*;/, `$1 ${certificate};`)
    .replace(/(ssl_certificate_key) .*;/, `$1 ${key};`)
    .replace('worker_processes auto;', 'worker_processes 1;');
  for (const [from, to] of Object.entries(addresses))
    text = text.replaceAll(`server ${from};`, `server ${to};`);
  const configuration = join(folder, 'nginx.conf');
  await writeFile(configuration, text);
  const globals = `daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;`;
  const child = spawn(BINARY, ['-p', folder, '-c', configuration, '-g', globals], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const gone = once(child, 'exit');
  let log = '';
  child.stderr.on('data', (chunk) => (log += String(chunk)));
  while (!(await listens(port))) {
    if (child.exitCode !== null) throw new Error(`nginx did not start: ${log}`);
  }
  return {
    port,
    async close() {
      child.kill('SIGTERM');
      await gone;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
