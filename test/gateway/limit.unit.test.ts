import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { callerOf } from '../../functions/gateway/limit/limit.ts';
import { invalidToken } from '../../functions/gateway/authenticate/token.ts';
import { limit, UnderWay } from '../../functions/gateway/limit/limit.ts';
import { guardAddress, network } from '../../shared/edge/quota.ts';
import { CountersUnavailable, type Refusal } from '../../shared/errors.ts';
import { toRefusal } from '../../shared/edge/problem.ts';
import type { Counters, Taken } from '../../shared/ports/counters.ts';

const policy = { name: 'default', limit: 100, windowMs: 60_000 };
const caller = callerOf({ caller: 'zitadel|alice' }, '192.0.2.1');
const free: Taken = { allowed: true, remaining: 99, resetMs: 11_001, retryAfterMs: 0, mark: undefined };

function answering(taken: Partial<Taken>) {
  const counters = { take: () => ({ ...free, ...taken }), ping: () => undefined };
  return { counters };
}

function failing(error: Error): { counters: Counters } {
  return {
    counters: {
      take: () => {
        throw error;
      },
      ping: () => undefined,
    },
  };
}

function refusalOf(step: () => unknown): Refusal {
  try {
    step();
  } catch (error) {
    return toRefusal(error);
  }
  throw new Error('was not refused');
}

describe('the limit step', () => {
  it('states policy and rest on a pass, in whole seconds rounded up', () => {
    const admission = limit({ caller, policy }, answering({}));
    expect(admission).toMatchObject({
      remaining: 99,
      headers: { 'RateLimit-Policy': '"default";q=100;w=60', RateLimit: '"default";r=99;t=12' },
    });
  });

  it('answers at once when the counters do, and later when they must', async () => {
    expect(limit({ caller, policy }, answering({}))).not.toBeInstanceOf(Promise);
    const counters = { take: async () => free, ping: () => undefined };
    await expect(limit({ caller, policy }, { counters })).resolves.toMatchObject({ remaining: 99 });
  });

  it('refuses over the limit with the time to come back, never zero', () => {
    const over = { allowed: false, remaining: 0, resetMs: 60_000, retryAfterMs: 1 };
    const refusal = refusalOf(() => limit({ caller, policy }, answering(over)));
    expect(refusal.code).toBe('rate_limited');
    expect(refusal.headers).toEqual({
      'Retry-After': '1',
      'RateLimit-Policy': '"default";q=100;w=60',
      RateLimit: '"default";r=0;t=60',
    });
    const later = refusalOf(() => limit({ caller, policy }, answering({ ...over, retryAfterMs: 1_001 })));
    expect(later.headers['Retry-After']).toBe('2');
  });

  it('refuses a revoked subject as any token that is not accepted, also when it is over its limit', () => {
    for (const allowed of [true, false]) {
      const refusal = refusalOf(() =>
        limit({ caller, policy }, answering({ mark: { version: 1, notBefore: Infinity }, allowed })),
      );
      expect(refusal.code).toBe('invalid_token');
      expect(refusal.reason).toBe('subject revoked');
      const other = invalidToken('signature does not fit');
      expect([refusal.headers, refusal.detail]).toEqual([other.headers, other.detail]);
    }
  });

  it.each([
    ['sessionMark', 'session ended'],
    ['organizationMark', 'organisation removed'],
  ] as const)('refuses by %s alone as well', (mark, reason) => {
    const deps = answering({ [mark]: { version: 1, notBefore: Infinity } });
    expect(refusalOf(() => limit({ caller, policy }, deps))).toMatchObject({ code: 'invalid_token', reason });
  });

  it.each([
    ['a token from before', 5_000],
    ['a token of that very time', 10_000],
    ['a token that does not say when it is from', undefined],
  ])('of a subject that is back refuses %s', (_name, issuedAt) => {
    const deps = answering({ mark: { version: 2, notBefore: 10_000 } });
    const refusal = refusalOf(() => limit({ caller, policy, issuedAt }, deps));
    expect(refusal).toMatchObject({
      code: 'invalid_token',
      reason: 'token from before its subject was revoked',
    });
  });

  it('of a subject that is back takes tokens from after', () => {
    const deps = answering({ mark: { version: 2, notBefore: 10_000 } });
    expect(limit({ caller, policy, issuedAt: 11_000 }, deps)).toMatchObject({ remaining: 99 });
  });

  it('fails closed with limiter_unavailable when the store is away, at once or later', async () => {
    const away = new CountersUnavailable('no answer within 250 ms');
    expect(refusalOf(() => limit({ caller, policy }, failing(away))).code).toBe('limiter_unavailable');
    const counters = { take: () => Promise.reject(away), ping: () => undefined };
    await expect(limit({ caller, policy }, { counters })).rejects.toBe(away);
    expect(toRefusal(away)).toMatchObject({ code: 'limiter_unavailable', reason: away.message });
  });

  it('does not dress up other faults as an absent store', () => {
    expect(() => limit({ caller, policy }, failing(new TypeError('broken')))).toThrow(TypeError);
  });

  it('keeps a policy name inside its quotes', () => {
    const odd = { ...policy, name: 'a";r=9, "b\\\u00e9\r\n' };
    expect(limit({ caller, policy: odd }, answering({}))).toMatchObject({
      headers: { 'RateLimit-Policy': '"a\\";r=9, \\"b\\\\___";q=100;w=60' },
    });
  });
});

describe('who is limited', () => {
  it('is the principal when there is one, else the address', () => {
    expect(callerOf({ caller: 'kanidm|bob' }, '192.0.2.1')).toBe('kanidm|bob');
    expect(callerOf(undefined, '192.0.2.1')).toBe('address|192.0.2.1');
  });

  it.each([
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:2:ffff::1', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['192.0.2.1', '192.0.2.1'],
    ['', 'unknown'],
    ['example.org', 'unknown'],
  ])('address %j counts as %s', (address, counted) => {
    expect(network(address)).toBe(counted);
  });
});

describe('the address guard', () => {
  it('counts by network under a policy of its own and lets a pass through', () => {
    const seen: unknown[] = [];
    guardAddress('2001:db8::1', {
      take: (request) => {
        seen.push(request);
        return free;
      },
    });
    expect(seen).toEqual([
      { caller: 'address|2001:db8:0:0::/64', policy: { name: 'address', limit: 6_000, windowMs: 60_000 } },
    ]);
  });

  it('refuses an address over its limit', () => {
    const over = { take: () => ({ ...free, allowed: false, remaining: 0, retryAfterMs: 10 }) };
    const refusal = refusalOf(() => {
      guardAddress('192.0.2.1', over);
    });
    expect(refusal.code).toBe('rate_limited');
    expect(refusal.headers['Retry-After']).toBe('1');
  });

  it('fails closed when its memory is full', () => {
    const full = {
      take: (): Taken => {
        throw new CountersUnavailable('full');
      },
    };
    const refusal = refusalOf(() => {
      guardAddress('192.0.2.1', full);
    });
    expect(refusal.code).toBe('limiter_unavailable');
  });
});

describe('answers under way', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const bob = callerOf({ caller: 'zitadel|bob' }, '192.0.2.1');

  it('up to the share nobody waits; beyond it those of this caller do, in their order', async () => {
    const underWay = new UnderWay(2);
    expect([underWay.enter(caller), underWay.enter(caller)]).toEqual([undefined, undefined]);
    const order: string[] = [];
    const waiting = ['third', 'fourth'].map((name) =>
      Promise.resolve(underWay.enter(caller)).then(() => order.push(name)),
    );
    expect(underWay.enter(bob)).toBeUndefined();
    underWay.leave(caller);
    await waiting[0];
    expect(order).toEqual(['third']);
    underWay.leave(caller);
    await waiting[1];
    expect(order).toEqual(['third', 'fourth']);
  });

  it('who waits in vain is refused after 5 s, and holds nothing then', async () => {
    const underWay = new UnderWay(1);
    void underWay.enter(caller);
    const waited = Promise.resolve(underWay.enter(caller)).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await waited).toMatchObject({ code: 'rate_limited', headers: { 'Retry-After': '1' } });
    underWay.leave(caller);
    expect(underWay.enter(caller)).toBeUndefined();
  });

  it('no more than 1,024 wait', async () => {
    const underWay = new UnderWay(1);
    void underWay.enter(caller);
    const refused: number[] = [];
    const waiting = Array.from({ length: 1_025 }, async (_, n) => {
      await Promise.resolve(underWay.enter(caller)).catch(() => refused.push(n));
    });
    await vi.advanceTimersByTimeAsync(1);
    expect(refused).toEqual([1_024]);
    await vi.advanceTimersByTimeAsync(5_000);
    await Promise.all(waiting);
  });
});
