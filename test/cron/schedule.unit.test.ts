import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { startSchedule } from '../../functions/cron/cron.ts';
import type { Cron } from '../../functions/cron/cron.ts';
import { jobAt, scheduleEntries, SCHEDULE, UnknownSchedule } from '../../functions/cron/schedule.ts';

describe('the schedule', () => {
  it('is the one that wrangler.toml triggers', () => {
    const toml = readFileSync(new URL('../../wrangler.toml', import.meta.url), 'utf8');
    const [, list = ''] = /^\[triggers\]\ncrons = (\[[^\]]*\])$/m.exec(toml) ?? [];
    expect(JSON.parse(list)).toEqual(Object.keys(SCHEDULE));
  });

  it('has no job for a pattern it does not list, nor for a name that every object has', () => {
    for (const pattern of ['0 0 * * *', '', 'constructor'])
      expect(() => jobAt(pattern)).toThrow(UnknownSchedule);
  });

  it('on Node calls the job of each pattern with the minute it is for, until stopped', () => {
    const due = new Map<string, () => void>();
    const tick = vi.fn<Cron['tick']>(async (pattern) => ({ outcome: 'skipped', job: jobAt(pattern) }));
    const cron: Cron = { tick, run: vi.fn(), preview: vi.fn(), close: vi.fn() };
    const schedule = (pattern: string, call: () => void) => {
      due.set(pattern, call);
      return () => void due.delete(pattern);
    };
    const clock = { now: () => Date.UTC(2030, 0, 1, 10, 5, 0, 137) };
    const stop = startSchedule(cron, { schedule }, clock);
    expect([...due.keys()]).toEqual(scheduleEntries().map(({ pattern }) => pattern));
    due.get('*/5 * * * *')?.();
    expect(tick).toHaveBeenCalledExactlyOnceWith('*/5 * * * *', new Date('2030-01-01T10:05:00Z'));
    stop();
    expect(due.size).toBe(0);
  });
});
