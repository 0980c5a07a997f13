import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { progressBar } from '../../cli/terminal.ts';

describe('progress', () => {
  let written = '';
  beforeEach(() => {
    written = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      written += String(text);
      return true;
    });
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** A bar by a clock of its own. */
  function bar(live: boolean, long: boolean) {
    let at = 0;
    const progress = progressBar('provisioning', { live, long, now: () => at });
    return {
      after: (seconds: number, done: number, total?: number): string => {
        at += seconds * 1_000;
        written = '';
        progress.update(done, total);
        return written.replaceAll('\r\u001b[2K', '');
      },
    };
  }

  it('has rate and remaining time as soon as there is something to measure', () => {
    const { after } = bar(true, false);
    expect(after(0, 0, 500)).toBe('provisioning [........................] 0/500');
    expect(after(2, 100, 500)).toBe('provisioning [####....................] 100/500 50/s, 8 s left');
    expect(after(2, 110, 20_000)).toMatch(/ 28\/s, 13 min left$/);
    expect(after(996, 1_000, 40_000)).toMatch(/ 1\/s, 10 h 50 min left$/);
    expect(after(1, 40_000, 40_000)).toMatch(/ 40000\/40000 40\/s$/);
  });

  it('counts from where the process began, not from what earlier ones did', () => {
    const { after } = bar(true, false);
    after(0, 400, 500);
    expect(after(10, 450, 500)).toMatch(/ 5\/s, 10 s left$/);
  });

  it('is a line every ten seconds where long work has no terminal, and nothing for other work', () => {
    const { after } = bar(false, true);
    expect([after(0, 0, 500), after(9, 90, 500)]).toEqual(['', '']);
    expect(after(1, 100, 500)).toBe('provisioning [####....................] 100/500 10/s, 40 s left\n');
    expect(after(5, 200, 500)).toBe('');
    expect(bar(false, false).after(60, 100, 500)).toBe('');
  });
});
