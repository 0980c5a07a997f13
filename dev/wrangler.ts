import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { atExit } from './ending.ts';
import { LOOPBACK } from './listen.ts';
import type { StackVariables } from './stack.ts';
import type { RunningGateway } from './tour/run.ts';
import { writeVariables } from './variables-file.ts';

const ROOT = new URL('../', import.meta.url);
const WRANGLER = fileURLToPath(new URL('node_modules/wrangler/bin/wrangler.js', ROOT));
const STOP_MS = 5_000;

/** The bundle in workerd, as `wrangler dev` runs it from wrangler.toml. Its log goes to stderr once it is up. */
export async function startWrangler(variables: StackVariables): Promise<RunningGateway> {
  const { HOST: host = LOOPBACK, PORT: port = '3000', ...rest } = variables;
  const file = await writeVariables(`sallyport-${process.pid}`, { ...rest, ACCESS_RULES: await rules() });
  const state = `${dirname(file.path)}/state-${process.pid}`;
  const child = spawnWrangler([
    ...['--ip', host, '--port', port],
    ...['--env-file', file.path, '--persist-to', state],
  ]);
  const forget = (): void => {
    rmSync(new URL(state, ROOT), { recursive: true, force: true });
  };
  const leave = atExit(() => {
    child.kill();
    forget();
  });
  const ended = once(child, 'exit').then(async () => {
    leave();
    forget();
    await file.remove();
  });
  try {
    await ready(child.stdout, child.stderr);
  } catch (error) {
    await end(child, ended);
    throw error;
  }
  return { url: `http://${host}:${port}`, ended, close: () => end(child, ended) };
}

/** A Worker has no files at run time, so the rules travel as text. */
async function rules(): Promise<string> {
  const text = await readFile(new URL('config/access_rules.json', ROOT), 'utf8');
  return JSON.stringify(JSON.parse(text));
}

function spawnWrangler(args: readonly string[]) {
  return spawn(process.execPath, [WRANGLER, 'dev', '--show-interactive-dev-session=false', ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Nothing of the demo leaves this machine: no metrics, no look-up of where the "edge" would be.
    env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' },
  });
}

/** Resolves when wrangler says so; rejects with its last words when it ends before. */
async function ready(...streams: readonly Readable[]): Promise<void> {
  const said: string[] = [];
  let up = false;
  await new Promise<void>((resolve, reject) => {
    for (const input of streams) {
      const lines = createInterface({ input });
      lines.on('line', (line) => {
        if (up) console.error(plain(line));
        else said.push(line);
        if (!line.includes('Ready on')) return;
        up = true;
        resolve();
      });
      lines.once('close', () => {
        reject(new Error(`wrangler dev ended before it was ready:\n${said.slice(-20).join('\n')}`));
      });
    }
  });
}

/** wrangler colours some lines whatever NO_COLOR says. */
function plain(line: string): string {
  const coloured = process.stderr.isTTY && (process.env['NO_COLOR'] ?? '') === '';
  return coloured ? line : stripVTControlCharacters(line);
}

async function end(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(timer);
}
