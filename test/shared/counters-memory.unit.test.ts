import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Account, Ledger } from '../../shared/adapters/counters/memory.ts';
import { MemoryCounters } from '../../shared/adapters/counters/memory.ts';
import { CountersUnavailable } from '../../shared/errors.ts';
import { grainMs } from '../../shared/counting/rate.ts';
import { manualClock, type ManualClock } from '../support/clock.ts';

const START = Date.UTC(2025, 0, 1);

let clock: ManualClock;

function fresh(capacity?: number) {
  clock = manualClock(START);
  return new MemoryCounters({ clock, ...(capacity === undefined ? {} : { capacity }) });
}

/** The same promise told another way: the times of all that were admitted. */
class Log {
  private readonly admitted: number[] = [];

  within(now: number, ms: number): number {
    return this.admitted.filter((at) => at > now - ms).length;
  }

  admit(now: number): void {
    this.admitted.push(now);
  }
}

const policies = fc.record({
  name: fc.constantFrom('a', 'b'),
  limit: fc.integer({ min: 1, max: 60 }),
  windowMs: fc.integer({ min: 1, max: 5_000 }),
});
const arrivals = fc.array(fc.record({ gap: fc.integer({ min: 0, max: 900 }), who: fc.nat(3) }), {
  maxLength: 120,
});

describe('counters in memory', () => {
  it('never admit more than the limit in any window, and refuse only who had it within a twentieth more', () => {
    fc.assert(
      fc.property(policies, arrivals, (policy, steps) => {
        const counters = fresh();
        const logs = new Map<number, Log>();
        for (const { gap, who } of steps) {
          clock.advance(gap / 1_000);
          const log = logs.get(who) ?? new Log();
          logs.set(who, log);
          const now = clock.now();
          const taken = counters.take({ caller: `caller-${who}`, policy });
          if (taken.allowed) {
            expect(log.within(now, policy.windowMs)).toBeLessThan(policy.limit);
            log.admit(now);
          } else
            expect(log.within(now, policy.windowMs + grainMs(policy))).toBeGreaterThanOrEqual(policy.limit);
        }
      }),
    );
  });

  it('admit one more when the told time has passed, and not a millisecond earlier', () => {
    fc.assert(
      fc.property(policies, arrivals, (policy, steps) => {
        const counters = fresh();
        for (const { gap } of steps) {
          clock.advance(gap / 1_000);
          counters.take({ caller: 'one', policy });
        }
        const { allowed, retryAfterMs } = counters.take({ caller: 'one', policy });
        if (allowed) return;
        clock.advance((retryAfterMs - 1) / 1_000);
        expect(counters.take({ caller: 'one', policy }).allowed).toBe(false);
        clock.advance(1 / 1_000);
        expect(counters.take({ caller: 'one', policy }).allowed).toBe(true);
      }),
    );
  });

  it('lock nobody out for longer than a window when the clock is set back', () => {
    const counters = fresh();
    const policy = { name: 'default', limit: 2, windowMs: 10_000 };
    counters.take({ caller: 'one', policy });
    counters.take({ caller: 'one', policy });
    clock.advance(-3_600);
    expect(counters.take({ caller: 'one', policy })).toMatchObject({ allowed: false, resetMs: 10_000 });
    clock.advance(10);
    expect(counters.take({ caller: 'one', policy }).allowed).toBe(true);
  });
});

describe('a full memory', () => {
  const policy = { name: 'default', limit: 2, windowMs: 60_000 };

  it('drops callers whose quota is full again before anyone else', () => {
    const counters = fresh(2);
    counters.take({ caller: 'old', policy });
    clock.advance(30);
    counters.take({ caller: 'used', policy });
    clock.advance(30);
    counters.take({ caller: 'third', policy });
    expect(counters.take({ caller: 'used', policy }).remaining).toBe(0);
    expect(counters.take({ caller: 'third', policy }).remaining).toBe(0);
  });

  it('never resets a caller at its limit: a newcomer is refused as unavailable instead', () => {
    const counters = fresh(50);
    for (let n = 0; n < 50; n++) {
      counters.take({ caller: `flood-${n}`, policy });
      counters.take({ caller: `flood-${n}`, policy });
    }
    expect(() => counters.take({ caller: 'newcomer', policy })).toThrow(CountersUnavailable);
    for (let n = 0; n < 50; n++) expect(counters.take({ caller: `flood-${n}`, policy }).allowed).toBe(false);
  });

  it('takes newcomers again once quotas are full', () => {
    const counters = fresh(50);
    for (let n = 0; n < 100; n++) counters.take({ caller: `flood-${n % 50}`, policy });
    clock.advance(60);
    expect(counters.take({ caller: 'newcomer', policy }).allowed).toBe(true);
  });

  it('lets the least used make room when nobody is full again', () => {
    const counters = fresh(2);
    const wide = { name: 'default', limit: 10, windowMs: 60_000 };
    for (let n = 0; n < 9; n++) counters.take({ caller: 'busy', policy: wide });
    counters.take({ caller: 'once', policy: wide });
    counters.take({ caller: 'newcomer', policy: wide });
    expect(counters.take({ caller: 'busy', policy: wide }).remaining).toBe(0);
  });

  it('holds as many accounts as were opened and not closed, under however many policies of one caller', () => {
    const policies = fc.constantFrom('a', 'b', 'c');
    const step = fc.record({ caller: fc.nat(5), policies, gap: fc.integer({ min: 0, max: 40_000 }) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(step, { maxLength: 200 }), (capacity, steps) => {
        const ledger = new Ledger(capacity);
        let now = 0;
        for (const { caller, policies: name, gap } of steps) {
          now += gap;
          const known = ledger.get(`${caller}`, name);
          const account = known ?? new Account(`${caller}`, { ...policy, name });
          account.settle(now);
          const isHeld = known !== undefined || ledger.open(account, now);
          if (isHeld) account.take({ ...policy, name }, now);
          expect(ledger.get(`${caller}`, name) === account).toBe(isHeld);
          const all = [0, 1, 2, 3, 4, 5].flatMap((who) =>
            ['a', 'b', 'c'].flatMap((each) => ledger.get(`${who}`, each) ?? []),
          );
          expect(ledger.size).toBe(all.length);
          expect(ledger.size).toBeLessThanOrEqual(capacity);
        }
      }),
    );
  });

  it('shrinks as quotas fill up while newcomers keep coming', () => {
    const ledger = new Ledger(1_000);
    const open = (key: string, now: number): void => {
      const account = new Account(key, policy);
      account.take(policy, now);
      ledger.open(account, now);
    };
    for (let n = 0; n < 500; n++) open(`old-${n}`, 0);
    for (let n = 0; n < 500; n++) open(`new-${n}`, policy.windowMs);
    expect(ledger.size).toBe(500);
  });
});
