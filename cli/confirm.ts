import { createInterface } from 'node:readline/promises';
import { isatty } from 'node:tty';
import { Failure } from './failure.ts';
import { note } from './terminal.ts';

/** Option of every command that destroys or replaces. */
export const YES_OPTION = ['--yes', 'do it without asking for the name'] as const;

/**
 * Asks for the name of what is about to be destroyed or replaced. Throws Failure when another text is typed, or without `yes`
 * where nobody can be asked: nothing was changed then.
 */
export async function confirmed(
  { what, name }: { readonly what: string; readonly name: string },
  yes: boolean | undefined,
): Promise<void> {
  if (yes === true) return;
  if (!isatty(process.stdin.fd) || !isatty(process.stderr.fd))
    throw new Failure(`${what}: nothing was changed. Add --yes to confirm ${name}`);
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new Promise<string>((resolve) => {
    asking.once('close', () => {
      resolve('');
    });
  });
  try {
    note(what);
    const typed = await Promise.race([asking.question(`Type ${name} to go on: `), ended]);
    if (typed.trim() !== name) throw new Failure('not confirmed: nothing was changed');
  } finally {
    asking.close();
  }
}
