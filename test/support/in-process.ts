import { vi } from 'vitest';
import { VARIABLES } from '../../functions/catalogue.ts';
import { run } from '../../cli/main.ts';
import type { Variables } from './sallyport.ts';

/** Of ours whose names hold the name of an issuer or a target. */
const NAMED = /^(?:ISSUER|TARGET)_/;

/** Runs `work` with these variables of ours and no others. Nothing else of the same process may run meanwhile. */
export async function withVariables<T>(variables: Variables, work: () => Promise<T>): Promise<T> {
  const { env } = process;
  const before = { ...env };
  const replace = (by: NodeJS.ProcessEnv): void => {
    for (const name of Object.keys(env)) if (!(name in by)) Reflect.deleteProperty(env, name);
    Object.assign(env, by);
  };
  const others = Object.entries(before).filter(([name]) => !VARIABLES.has(name) && !NAMED.test(name));
  replace({ ...Object.fromEntries(others), ...variables });
  try {
    return await work();
  } finally {
    replace(before);
  }
}

/** The command line as `sallyport` runs it, within this process: what a command does, where how a process starts and ends is not the subject. */
export function inProcess(variables: Variables, ...args: readonly string[]) {
  return withVariables(variables, async () => {
    const [stdout, stderr] = [captured(process.stdout), captured(process.stderr)];
    try {
      const code = await run(['node', 'sallyport', '--env-file=/dev/null', ...args]);
      return { code, stdout: stdout.text(), stderr: stderr.text() };
    } finally {
      stdout.end();
      stderr.end();
    }
  });
}

function captured(stream: NodeJS.WriteStream): { text(): string; end(): void } {
  const chunks: string[] = [];
  const spy = vi.spyOn(stream, 'write').mockImplementation((chunk) => {
    chunks.push(typeof chunk === 'string' ? chunk : new TextDecoder().decode(chunk));
    return true;
  });
  return {
    text: () => chunks.join(''),
    end() {
      spy.mockRestore();
    },
  };
}
