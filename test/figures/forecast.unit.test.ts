import { describe, expect, it } from 'vitest';
import { daysBetween, forecast, peopleFor, plusDays, type Course } from '../../shared/figures/forecast.ts';
import { bucketOf, openTokenTimes, quantileMs } from '../../shared/figures/token-times.ts';
import { DatabaseUnavailable, type Sql } from '../../shared/ports/database.ts';
import { manualClock } from '../support/clock.ts';
import { times } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';

const DAY = '2027-03-17';

/** `counts`: of the days before DAY, yesterday first. */
function course(counts: readonly number[], rest: Partial<Course> = {}): Course {
  const completed = new Map(counts.map((count, back) => [plusDays(DAY, -1 - back), count]));
  return { day: DAY, active: 1_000, settled: 500, since: '2027-02-01', completed, ...rest };
}

const every = (count: number, days = 28): number[] => Array.from({ length: days }, () => count);

describe('the forecast', () => {
  it('goes by the pace: 450 people at 10 a day need 45 days, 500 need 50', () => {
    const { p95, p100, target, on_track } = forecast(course(every(10)));
    expect(p95.date).toBe(plusDays(DAY, 45));
    expect(p100.date).toBe(plusDays(DAY, 50));
    expect(target).toBe('2027-04-02');
    expect(on_track).toBe(false);
  });

  it('goes by weekdays: nobody comes on days on which nobody came', () => {
    const weekdays = every(0).map((_none, back) =>
      [6, 0].includes(new Date(plusDays(DAY, -1 - back)).getUTCDay()) ? 0 : 9,
    );
    // 2027-03-17 is a Wednesday: nine on Thursday, on Friday, and again on Monday.
    const at = (settled: number) => forecast(course(weekdays, { active: 20, settled })).p100.date;
    expect(at(11)).toBe('2027-03-18');
    expect(at(2)).toBe('2027-03-19');
    expect(at(1)).toBe('2027-03-22');
  });

  it('answers with the day on which a share was reached, and without an interval around it', () => {
    const done = course(every(10), { settled: 960 });
    const reached = plusDays(DAY, -2);
    expect(forecast(done).p95).toEqual({ date: reached, low: reached, high: reached });
    expect(forecast(done).on_track).toBe(true);
    expect(forecast({ ...done, since: '2026-12-01' }).on_track).toBe(false);
  });

  it('has no dates without a pace or without people, and says so of the target after a week', () => {
    const none = { date: null, low: null, high: null };
    expect(forecast(course([]))).toMatchObject({ p95: none, p100: none, on_track: false });
    expect(forecast(course([], { since: plusDays(DAY, -6) })).on_track).toBeNull();
    expect(forecast(course([], { since: null }))).toMatchObject({ on_track: null, target: null });
    expect(forecast(course([], { active: 0, settled: 0 }))).toMatchObject({ p95: none, on_track: null });
    expect(forecast(course([...every(0), 50])).p95).toEqual(none);
  });

  it('does not take days before anybody was asked for days of no pace', () => {
    const young = course(every(20, 8), { since: plusDays(DAY, -8) });
    expect(forecast(young).p100.date).toBe(plusDays(DAY, 25));
  });

  it('a day under way does not count, whatever came of it so far', () => {
    const asked = course(every(10));
    const today = { ...asked, completed: new Map([...asked.completed, [DAY, 400]]) };
    expect(forecast(today)).toEqual(forecast(asked));
  });

  const below = seeded(11);
  const random = (): number => below(1_000_000) / 1_000_000;
  const whole = (most: number): number => Math.floor(random() * (most + 1));
  const anyCourse = (): Course => {
    const active = 1 + whole(5_000);
    const most = whole(60);
    const counts = every(0, whole(40)).map(() => whole(most));
    return course(counts, {
      active,
      settled: whole(active),
      since: random() < 0.1 ? null : plusDays(DAY, -whole(90)),
    });
  };
  const ordered = (...dates: readonly (string | null)[]): boolean =>
    dates.every((date, i) => i === 0 || (dates[i - 1] ?? '9999') <= (date ?? '9999'));

  it(`holds for any course: interval around the date, 95 % not after 100 %, later with more people, earlier with more pace`, () => {
    for (let i = 0; i < times(2_000, 500); i += 1) {
      const one = anyCourse();
      const made = forecast(one);
      expect(forecast(one)).toEqual(made);
      for (const each of [made.p95, made.p100]) expect(ordered(each.low, each.date, each.high)).toBe(true);
      const far = one.settled < peopleFor(0.95, one.active);
      if (!far) continue;
      for (const end of ['low', 'date', 'high'] as const)
        expect(ordered(made.p95[end], made.p100[end])).toBe(true);
      const more = forecast({ ...one, active: one.active + 1 + whole(500) });
      for (const end of ['low', 'date', 'high'] as const)
        expect(ordered(made.p100[end], more.p100[end])).toBe(true);
      const doubled = new Map([...one.completed].map(([day, count]) => [day, count * 2]));
      expect(ordered(forecast({ ...one, completed: doubled }).p100.date, made.p100.date)).toBe(true);
    }
  });

  it('its interval holds the day that comes in about 80 % of courses that go on as they were', () => {
    let held = 0;
    const rounds = times(600, 300);
    for (let i = 0; i < rounds; i += 1) {
      // Days of Poisson counts, by weekday.
      const means = [12, 10, 9, 11, 6, 1, 1];
      const draw = (day: string): number => {
        let count = -1;
        for (let left = means[new Date(day).getUTCDay()] ?? 0; left > 0; left += Math.log(random() || 1e-9))
          count += 1;
        return Math.max(0, count);
      };
      const past = every(0).map((_none, back) => draw(plusDays(DAY, -1 - back)));
      const { low, high } = forecast(course(past, { active: 400, settled: 100 })).p100;
      let day = DAY;
      for (let left = 300; left > 0;) left -= draw((day = plusDays(day, 1)));
      if ((low ?? '') <= day && day <= (high ?? '9999')) held += 1;
    }
    expect(held / rounds).toBeGreaterThan(0.72);
    expect(held / rounds).toBeLessThan(0.92);
  });
});

describe('days', () => {
  it('go over ends of months and of years', () => {
    expect(plusDays('2027-12-31', 1)).toBe('2028-01-01');
    expect(plusDays('2028-03-01', -1)).toBe('2028-02-29');
    expect(daysBetween('2027-12-30', '2028-01-02')).toBe(3);
  });
});

describe('times of token checks', () => {
  it('keep 100 ms as the end of a bucket, so that a check is counted as quicker only when it was', () => {
    expect(bucketOf(99_999)).toBe(40);
    expect(bucketOf(100_000)).toBe(41);
    expect(bucketOf(0)).toBe(0);
    expect(bucketOf(1e12)).toBe(80);
  });

  it('give a quantile within one bucket of the true one', () => {
    const below = seeded(7);
    const random = (): number => below(1_000_000) / 1_000_000;
    for (let i = 0; i < 50; i += 1) {
      const checks = Array.from(
        { length: 1 + Math.floor(random() * 400) },
        () => 1 + random() ** 6 * 900_000,
      );
      const counts = new Map<number, number>();
      for (const us of checks) counts.set(bucketOf(us), (counts.get(bucketOf(us)) ?? 0) + 1);
      const exact = checks.sort((a, b) => a - b)[Math.ceil(0.99 * checks.length) - 1] ?? 0;
      const value = (quantileMs(counts, 0.99) ?? NaN) * 1_000;
      expect(bucketOf(value)).toBe(bucketOf(exact));
    }
    expect(quantileMs(new Map(), 0.99)).toBeNull();
  });

  it('are written every 30 seconds at most, and what could not be written with the next ones', async () => {
    const clock = manualClock();
    const written: unknown[] = [];
    let away = false;
    const work: Promise<unknown>[] = [];
    const times = openTokenTimes({
      clock,
      background: (each) => void work.push(each),
      database: {
        execute: async ({ values }: Sql) => {
          if (away) throw new DatabaseUnavailable('away');
          written.push(values.slice(0, 2));
          return 1;
        },
      },
    });
    const add = async (us: number): Promise<void> => {
      times.add(us);
      await Promise.all(work);
    };
    await add(100_000);
    await add(100_000);
    await add(0);
    expect(written).toEqual([[[41], [1]]]);
    clock.advance(30);
    away = true;
    await add(0);
    away = false;
    clock.advance(30);
    await add(0);
    expect(written.slice(1)).toEqual([
      [
        [0, 41],
        [3, 1],
      ],
    ]);
    await times.flush();
    expect(written.length).toBe(2);
  });
});
