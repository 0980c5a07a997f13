import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Difference } from './check.ts';
import type { CommandStep } from './step.ts';

/** The project's folder. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CLI = 'cli/sallyport.mjs';

/** Lines for a POSIX shell that make `sallyport` the command over the variables of the demo. `envFile`: where they are. */
export function commandSetUp(envFile: string): string[] {
  return [`cd '${ROOT}'`, `sallyport() { node ${argumentsFor(['"$@"'], envFile).join(' ')}; }`];
}

/** The step as a line for a shell that is set up. */
export function commandLine({ command }: CommandStep): string {
  return ['sallyport', ...command].join(' ');
}

/** Runs one command; undefined = it exited with 0 and printed what the step promises. */
export async function checkCommand({ command, says }: CommandStep, envFile: string): Promise<Difference> {
  const child = spawn(process.execPath, argumentsFor(command, envFile), {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [printed, failure] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  if (child.exitCode !== 0) return `exit code ${String(child.exitCode)}: ${failure.trim()}`;
  return says === undefined || printed.includes(says) ? undefined : `no "${says}" in: ${printed.trim()}`;
}

function argumentsFor(command: readonly string[], envFile: string): string[] {
  return [CLI, ...command, `--env-file=${envFile}`];
}
