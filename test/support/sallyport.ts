import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { runInProcess, type Ended } from './command-process.ts';
import { built, quickProgram } from './gateway/built.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export type Variables = Readonly<Record<string, string>>;

/** The command line as it is shipped. */
export const PROGRAM = join(await built('node'), 'sallyport.js');

const QUICK = await quickProgram('sallyport');
const IN_PROCESS = QUICK.at(-1) ?? '';
const NO_FILE = '--env-file=/dev/null';

/** What Node, libpq and the C library read themselves, of the process that they are in. */
const OF_A_PROCESS = /^(?:NODE_|PG[A-Z]|TZ$|LC_|LANG)/;

/** The command line, as a process with these variables and no others, not even those of a .env. */
export function spawnSallyport(variables: Variables, ...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [...QUICK, NO_FILE, ...args], {
    cwd: ROOT,
    env: environment(variables),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** The same to its end, inside this process unless a variable demands another: starting one costs more than most commands do. */
export async function sallyport(variables: Variables, ...args: readonly string[]): Promise<Ended> {
  if (!Object.keys(variables).some((name) => OF_A_PROCESS.test(name)))
    return runInProcess(IN_PROCESS, [NO_FILE, ...args], environment(variables));
  const child = spawnSallyport(variables, ...args);
  const [stdout, stderr] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'close'),
  ]);
  return { code: child.exitCode, stdout, stderr };
}

function environment(variables: Variables): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', ...variables };
}
