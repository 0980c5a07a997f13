import { vi } from 'vitest';
import { carriedOut } from '../../cli/main.ts';
import type { Variables } from './sallyport.ts';

/**
 * The command line within this process, with these variables and no others: for what shows the same without the start of a process,
 * and needs neither a signal nor an end of its own. One at a time, since variables and outputs are those of the process.
 */
export async function sallyportHere(variables: Variables, ...args: readonly string[]) {
  const { env } = process;
  const before = { ...env };
  const outputs = [taken(process.stdout), taken(process.stderr)] as const;
  replaced(env, { PATH: before['PATH'], ...variables });
  try {
    const failed = await carriedOut(['node', 'sallyport', '--env-file=/dev/null', ...args]);
    const [stdout, stderr] = outputs.map(({ text }) => text());
    return {
      code: failed === 0 ? Number(process.exitCode ?? 0) : failed,
      stdout: stdout ?? '',
      stderr: stderr ?? '',
    };
  } finally {
    process.exitCode = undefined;
    for (const { release } of outputs) release();
    replaced(env, before);
  }
}

function replaced(env: NodeJS.ProcessEnv, by: Readonly<Record<string, string | undefined>>): void {
  for (const name of Object.keys(env)) if (by[name] === undefined) Reflect.deleteProperty(env, name);
  for (const [name, value] of Object.entries(by)) if (value !== undefined) env[name] = value;
}

function taken(stream: NodeJS.WriteStream) {
  let text = '';
  const written = vi.spyOn(stream, 'write').mockImplementation((chunk) => {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    return true;
  });
  return {
    text: () => text,
    release: () => {
      written.mockRestore();
    },
  };
}
