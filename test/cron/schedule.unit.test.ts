import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { functionsOn, scheduleOf } from '../../functions/catalogue.ts';
import { startSchedule, UnknownJob, UnknownSchedule } from '../../functions/cron/cron.ts';
import type { ScheduledJob } from '../../shared/runs/job.ts';
import { DatabaseUnavailable, type Database } from '../../shared/ports/database.ts';
import { replica } from './support.ts';

const SCHEDULE = scheduleOf(functionsOn({}));

const gone = () => Promise.reject(new DatabaseUnavailable('away'));
const away: Database = {
  query: gone,
  execute: gone,
  transaction: gone,
  ping: gone,
  close: async () => undefined,
};

describe('the schedule', () => {
  it('is the one that wrangler.toml triggers', () => {
    const toml = readFileSync(new URL('../../wrangler.toml', import.meta.url), 'utf8');
    const [, list = ''] = /^\[triggers\]\ncrons = (\[[^\]]*\])$/m.exec(toml) ?? [];
    expect(JSON.parse(list)).toEqual([...new Set(SCHEDULE.map(({ pattern }) => pattern))]);
  });

  it('names each job once', () => {
    const names = SCHEDULE.map(({ job }) => job);
    expect(names).toEqual([...new Set(names)]);
  });

  it('has no job for a pattern it does not list, nor for a name that every object has', async () => {
    const { cron } = replica(away, async () => ({}));
    for (const pattern of ['0 0 * * *', '', 'constructor']) {
      await expect(cron.tick(pattern, new Date())).rejects.toThrow(UnknownSchedule);
      await expect(cron.run(pattern)).rejects.toThrow(UnknownJob);
      await expect(cron.preview(pattern)).rejects.toThrow(UnknownJob);
    }
  });

  it('does nothing at the times of a function that is off', async () => {
    const { cron } = replica(away, async () => ({}), {}, { jobs: [], idle: new Set(['* * * * *']) });
    expect(await cron.tick('* * * * *', new Date())).toEqual([]);
    await expect(cron.tick('*/5 * * * *', new Date())).rejects.toThrow(UnknownSchedule);
  });

  it('runs every job of a pattern, whatever becomes of the others', async () => {
    const job = (name: string): ScheduledJob => ({ name, pattern: '* * * * *', run: async () => ({}) });
    const { cron } = replica(away, async () => ({}), {}, { jobs: [job('one'), job('two')] });
    expect(cron.patterns).toEqual(['* * * * *']);
    expect(await cron.tick('* * * * *', new Date())).toMatchObject([
      { job: 'one', outcome: 'failed' },
      { job: 'two', outcome: 'failed' },
    ]);
  });

  it('on Node calls the jobs of each pattern with the minute it is for, until stopped', () => {
    const due = new Map<string, () => void>();
    const { cron } = replica(away, async () => ({}));
    const tick = vi.fn<typeof cron.tick>(async () => []);
    const schedule = (pattern: string, call: () => void) => {
      due.set(pattern, call);
      return () => void due.delete(pattern);
    };
    const clock = { now: () => Date.UTC(2030, 0, 1, 10, 5, 0, 137) };
    const stop = startSchedule({ ...cron, tick }, { schedule }, clock);
    expect([...due.keys()]).toEqual(cron.patterns);
    due.get('*/5 * * * *')?.();
    expect(tick).toHaveBeenCalledExactlyOnceWith('*/5 * * * *', new Date('2030-01-01T10:05:00Z'));
    stop();
    expect(due.size).toBe(0);
  });
});
