import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { atExit } from './ending.ts';

const CLI = fileURLToPath(new URL('../cli/sallyport.mjs', import.meta.url));

/** Brings a database up to date as a person would: by `sallyport db migrate`. */
export async function migrate(databaseUrl: string): Promise<void> {
  const child = spawn(process.execPath, [CLI, 'db', 'migrate'], {
    env: { ...process.env, DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const leave = atExit(() => child.kill());
  const [said] = await Promise.all([text(child.stderr), once(child, 'exit')]).finally(leave);
  if (child.exitCode !== 0) throw new Error(`sallyport db migrate failed:\n${said}`);
}
