import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Difference } from './check.ts';
import type { CommandStep } from './step.ts';

/** The project's folder. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** A watchdog of what ends by itself. */
const MOST_MS = 120_000;
const CLI = 'cli/sallyport.mjs';

/** Lines for a POSIX shell that make `sallyport` the command over the variables of the demo. `envFile`: where they are. */
export function commandSetUp(envFile: string): string[] {
  return [`cd '${ROOT}'`, `sallyport() { node ${argumentsFor(['"$@"'], envFile).join(' ')}; }`];
}

/** The step as a line for a shell that is set up. */
export function commandLine({ command }: CommandStep): string {
  return ['sallyport', ...command.map(word)].join(' ');
}

/** In quotes where the shell would read it otherwise; `$` stays, for the name of the run. */
function word(text: string): string {
  return /^[\w@%+=:,./$-]+$/.test(text) ? text : `'${text}'`;
}

/** Runs one command; undefined = it exited as the step says and printed what the step promises. */
export async function checkCommand(step: CommandStep, envFile: string): Promise<Difference> {
  const started = performance.now();
  for (;;) {
    const { code, printed, failure } = await runCommand(step, envFile);
    // A job that the gateway runs at this very moment.
    if (failure.includes('is running elsewhere') && performance.now() - started < MOST_MS) continue;
    if (code !== (step.exit ?? 0)) return `exit code ${String(code)}: ${failure.trim()}`;
    const { says } = step;
    return says === undefined || printed.includes(says) ? undefined : `no "${says}" in: ${printed.trim()}`;
  }
}

async function runCommand({ command }: CommandStep, envFile: string) {
  const child = spawn(process.execPath, argumentsFor(command, envFile), {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [printed, failure] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code: child.exitCode, printed, failure };
}

function argumentsFor(command: readonly string[], envFile: string): string[] {
  return [CLI, ...command, `--env-file=${envFile}`];
}
