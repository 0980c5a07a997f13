import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ledger } from '../../shared/adapters/counters-ledger.ts';
import { MemoryCounters } from '../../shared/adapters/counters-memory.ts';
import { CountersUnavailable } from '../../shared/errors.ts';
import type { RatePolicy } from '../../shared/ports.ts';
import { manualClock, type ManualClock } from '../support/clock.ts';

const START = Date.UTC(2025, 0, 1);

let clock: ManualClock;

function fresh(capacity?: number) {
  clock = manualClock(START);
  return new MemoryCounters({ clock, ...(capacity === undefined ? {} : { capacity }) });
}

/** The same promise told another way: a bucket that fills with time, in exact whole numbers. */
class NaiveBucket {
  private credit: bigint;
  private last = BigInt(START) * 1_000n;
  private readonly step: bigint;
  private readonly full: bigint;

  constructor(policy: RatePolicy) {
    const windowUs = BigInt(policy.windowMs) * 1_000n;
    const limit = BigInt(policy.limit);
    this.step = (windowUs + limit - 1n) / limit;
    this.full = this.step * limit;
    this.credit = this.full;
  }

  take(nowMs: number) {
    const now = BigInt(nowMs) * 1_000n;
    const grown = this.credit + (now > this.last ? now - this.last : 0n);
    this.credit = grown > this.full ? this.full : grown;
    this.last = now;
    const allowed = this.credit >= this.step;
    if (allowed) this.credit -= this.step;
    const missing = this.step - this.credit;
    return {
      allowed,
      remaining: Number(this.credit / this.step),
      resetMs: Number((this.full - this.credit + 999n) / 1_000n),
      retryAfterMs: allowed ? 0 : Number((missing + 999n) / 1_000n),
      revoked: false,
    };
  }
}

const policies = fc.record({
  name: fc.constantFrom('a', 'b'),
  limit: fc.integer({ min: 1, max: 12 }),
  windowMs: fc.integer({ min: 1, max: 5_000 }),
});
const arrivals = fc.array(fc.record({ gap: fc.integer({ min: 0, max: 900 }), who: fc.nat(3) }), {
  maxLength: 120,
});

describe('counters in memory', () => {
  it('answer exactly as a naive bucket per caller does, whatever the arrivals', () => {
    fc.assert(
      fc.property(policies, arrivals, (policy, steps) => {
        const counters = fresh();
        const buckets = new Map<number, NaiveBucket>();
        for (const { gap, who } of steps) {
          clock.advance(gap / 1_000);
          const bucket = buckets.get(who) ?? new NaiveBucket(policy);
          buckets.set(who, bucket);
          expect(counters.take({ caller: `caller-${who}`, policy })).toEqual(bucket.take(clock.now()));
        }
      }),
    );
  });

  it('never admit more than burst and refill in any stretch of time', () => {
    fc.assert(
      fc.property(policies, arrivals, (policy, steps) => {
        const counters = fresh();
        const admitted: number[] = [];
        for (const { gap } of steps) {
          clock.advance(gap / 1_000);
          if (counters.take({ caller: 'one', policy }).allowed) admitted.push(clock.now());
        }
        admitted.forEach((from, first) => {
          admitted.slice(first).forEach((to, index) => {
            const refill = ((to - from) / policy.windowMs) * policy.limit;
            expect(index + 1).toBeLessThanOrEqual(policy.limit + refill + 1e-9);
          });
        });
      }),
    );
  });

  it('lock nobody out for longer than a window when the clock is set back', () => {
    const counters = fresh();
    const policy = { name: 'default', limit: 2, windowMs: 10_000 };
    counters.take({ caller: 'one', policy });
    clock.advance(-3_600);
    expect(counters.take({ caller: 'one', policy })).toMatchObject({ allowed: false, resetMs: 10_000 });
    clock.advance(5);
    expect(counters.take({ caller: 'one', policy }).allowed).toBe(true);
  });
});

describe('a full memory', () => {
  const policy = { name: 'default', limit: 2, windowMs: 60_000 };

  it('drops callers whose quota is full again before anyone else', () => {
    const counters = fresh(2);
    for (const caller of ['old', 'used']) counters.take({ caller, policy });
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

  it('shrinks as quotas fill up while newcomers keep coming', () => {
    const ledger = new Ledger(1_000);
    const account = (tatUs: number) => ({ tatUs, intervalUs: 1, burstUs: 10 });
    for (let n = 0; n < 500; n++) ledger.open(`old-${n}`, account(10), 0);
    for (let n = 0; n < 500; n++) ledger.open(`new-${n}`, account(1_000), 100);
    expect(ledger.size).toBe(500);
  });
});
