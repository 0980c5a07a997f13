import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { built, quickProgram } from './gateway/built.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export type Variables = Readonly<Record<string, string>>;

/** The command line as it is shipped. */
export const PROGRAM = join(await built('node'), 'sallyport.js');

const QUICK = await quickProgram('sallyport');

/** The command line, as a process with these variables and no others, not even those of a .env. */
export function spawnSallyport(variables: Variables, ...args: readonly string[]): ChildProcess {
  const { PATH = '' } = process.env;
  return spawn(process.execPath, [...QUICK, '--env-file=/dev/null', ...args], {
    cwd: ROOT,
    env: { PATH, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export async function sallyport(variables: Variables, ...args: readonly string[]) {
  const child = spawnSallyport(variables, ...args);
  const [stdout, stderr] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'close'),
  ]);
  return { code: child.exitCode, stdout, stderr };
}
