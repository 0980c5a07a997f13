import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { confirmed } from '../../cli/confirm.ts';

const WHAT = { what: 'this replaces the database zitadel', name: 'zitadel' };
const WATCHDOG_MS = 600_000;
const piped = (input: Readable, pipeMs = WATCHDOG_MS) =>
  confirmed(WHAT, undefined, { input, output: new PassThrough(), pipeMs });

describe('what destroys or replaces', () => {
  it('is confirmed by --yes, or by its name through a pipe', async () => {
    await confirmed(WHAT, true);
    await piped(Readable.from(['zita', 'del\nmore']));
  });

  it('is not done for another name, at the end of the input, and when nothing comes through an open pipe', async () => {
    await expect(piped(Readable.from(['Zitadel\n']))).rejects.toThrow('not confirmed: nothing was changed');
    const unasked = 'this replaces the database zitadel: nothing was changed. Add --yes to confirm zitadel';
    await expect(piped(Readable.from([]))).rejects.toThrow(unasked);
    await expect(piped(new PassThrough(), 10)).rejects.toThrow(unasked);
  });
});
