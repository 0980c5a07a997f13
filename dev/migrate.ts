import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { atExit } from './ending.ts';

const CLI = fileURLToPath(new URL('../cli/sallyport.mjs', import.meta.url));

/** Takes the database of an application over, and brings it up to date, by the commands that a person would use. */
export async function adopt(databaseUrl: string): Promise<void> {
  await db('baseline', databaseUrl);
  await migrate(databaseUrl);
}

/** Brings a database up to date, an empty one too. */
export function migrate(databaseUrl: string): Promise<void> {
  return db('migrate', databaseUrl);
}

async function db(command: string, databaseUrl: string): Promise<void> {
  const child = spawn(process.execPath, [CLI, 'db', command], {
    env: { ...process.env, DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const leave = atExit(() => child.kill());
  const [failure] = await Promise.all([text(child.stderr), once(child, 'exit')]).finally(leave);
  if (child.exitCode !== 0) throw new Error(`sallyport db ${command} failed:\n${failure}`);
}
