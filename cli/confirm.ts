import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { isatty } from 'node:tty';
import { Failure } from './failure.ts';

/** Option of every command that destroys or replaces. */
export const YES_OPTION = ['--yes', 'do it without asking for the name'] as const;

export interface Asking {
  readonly input: Readable & { readonly fd?: number };
  readonly output: Writable & { readonly fd?: number };
  /** Milliseconds for a name that comes through a pipe, which may stay open with nothing in it. */
  readonly pipeMs: number;
}

const PIPE_MS = 3_000;

/**
 * Requires the name of what is about to be destroyed or replaced, from a terminal or from a pipe that already holds it. Throws Failure
 * on any other text, and without `yes` where there is neither terminal nor input; nothing has been changed then.
 */
export async function confirmed(
  { what, name }: { readonly what: string; readonly name: string },
  yes: boolean | undefined,
  asking: Asking = { input: process.stdin, output: process.stderr, pipeMs: PIPE_MS },
): Promise<void> {
  if (yes === true) return;
  const [reads, writes] = [asking.input, asking.output].map(({ fd }) => fd !== undefined && isatty(fd));
  const question = reads === true && writes === true ? `${what}\nType ${name} to go on: ` : undefined;
  const typed = reads === true && writes !== true ? '' : await lineOf(asking, question);
  if (typed === name) return;
  if (typed === '' && question === undefined)
    throw new Failure(`${what}: nothing was changed. Add --yes to confirm ${name}`);
  throw new Failure('not confirmed: nothing was changed');
}

/** Empty at the end of the input, and when none comes through a pipe in time. */
async function lineOf({ input, output, pipeMs }: Asking, question: string | undefined): Promise<string> {
  const lines = createInterface(question === undefined ? { input } : { input, output });
  const tooLate =
    question === undefined
      ? setTimeout(() => {
          lines.close();
        }, pipeMs)
      : undefined;
  try {
    return await new Promise<string>((resolve) => {
      lines.once('line', (line) => {
        resolve(line.trim());
      });
      lines.once('close', () => {
        resolve('');
      });
      if (question !== undefined) output.write(question);
    });
  } finally {
    clearTimeout(tooLate);
    lines.close();
    input.pause();
  }
}
