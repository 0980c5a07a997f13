// Long because every adapter keeps the same promises, in one place.
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryCounters } from '../../shared/adapters/counters/memory.ts';
import type { Counters, RatePolicy, Taken } from '../../shared/ports/counters.ts';
import type { Revocations } from '../../shared/ports/revocations.ts';
import { manualClock } from '../support/clock.ts';
import { times } from '../support/scale.ts';

export interface CountersStore {
  /** `count` separate clients of one store (an adapter of one process has one). */
  clients(count: number): Promise<readonly (Counters & Revocations)[]>;
  /** Moves the store's time on, as counters see it. */
  advance(ms: number): Promise<void>;
  /** Forgets all. */
  reset(): Promise<void>;
}

const HOUR_MS = 3_600_000;
/** So slow that the run itself refills nothing. */
const slow: RatePolicy = { name: 'slow', limit: 20, windowMs: 24 * HOUR_MS };

/** What every adapter of Counters and Revocations promises. */
export function countersContract(store: () => CountersStore): void {
  let counters: Counters & Revocations;

  beforeEach(async () => {
    await store().reset();
    counters = (await store().clients(1))[0]!;
  });

  const takeAs = async (caller: string, policy = slow): Promise<Taken> => counters.take({ caller, policy });

  describe('counting', () => {
    it('admits exactly the limit of a crowd over eight clients, never one more', async () => {
      const clients = await store().clients(8);
      const crowd = Array.from({ length: 200 }, (_, n) =>
        Promise.resolve(clients[n % clients.length]!.take({ caller: 'zitadel|alice', policy: slow })),
      );
      const taken = await Promise.all(crowd);
      const admitted = taken.filter(({ allowed }) => allowed);
      expect(admitted).toHaveLength(slow.limit);
      const rest = admitted.map(({ remaining }) => remaining).sort((a, b) => a - b);
      expect(rest).toEqual(Array.from({ length: slow.limit }, (_, n) => n));
    });

    it('counts takes of one moment in their order, each caller and policy of its own', async () => {
      const policies = [slow, { ...slow, name: 'other', limit: 7 }];
      const asked = Array.from({ length: 420 }, (_, n) => ({
        caller: `zitadel|${n % 5}`,
        policy: policies[n % 2]!,
      }));
      const taken = await Promise.all(asked.map(async (each) => counters.take(each)));
      for (const policy of policies)
        for (let n = 0; n < 5; n++) {
          const own = taken.filter((_, at) => asked[at]!.policy === policy && at % 5 === n);
          const rest = own.map(({ allowed, remaining }) => (allowed ? remaining : 'refused'));
          const admitted = Array.from({ length: policy.limit }, (_, at) => policy.limit - 1 - at);
          expect(rest).toEqual([...admitted, ...rest.slice(policy.limit).map(() => 'refused')]);
        }
    });

    it('tells the rest of the quota, and when it is full and when one more is let in', async () => {
      const first = await takeAs('zitadel|alice');
      const whole = {
        allowed: true,
        remaining: 19,
        resetMs: slow.windowMs,
        retryAfterMs: 0,
        mark: undefined,
      };
      expect(first).toMatchObject(whole);
      for (let n = 1; n < slow.limit; n++) await takeAs('zitadel|alice');
      const refused = await takeAs('zitadel|alice');
      expect(refused).toMatchObject({ allowed: false, remaining: 0, mark: undefined });
      expect(refused.retryAfterMs).toBeGreaterThan(slow.windowMs - 60_000);
      expect(refused.retryAfterMs).toBeLessThanOrEqual(slow.windowMs);
      expect(refused.resetMs).toBeGreaterThan(slow.windowMs - 60_000);
      expect(refused.resetMs).toBeLessThanOrEqual(slow.windowMs);
    });

    it('admits one more when the told time has passed, not a minute earlier', async () => {
      await takeAs('zitadel|alice');
      await store().advance(600_000);
      for (let n = 1; n < slow.limit; n++) await takeAs('zitadel|alice');
      const { retryAfterMs } = await takeAs('zitadel|alice');
      await store().advance(retryAfterMs - 60_000);
      expect((await takeAs('zitadel|alice')).allowed).toBe(false);
      await store().advance(60_000);
      expect((await takeAs('zitadel|alice')).allowed).toBe(true);
      expect((await takeAs('zitadel|alice')).allowed).toBe(false);
    });

    it('gives the whole quota back after a window, and no more than that', async () => {
      for (let n = 0; n < slow.limit; n++) await takeAs('zitadel|alice');
      await store().advance(3 * slow.windowMs);
      const again = await Promise.all(Array.from({ length: 50 }, () => takeAs('zitadel|alice')));
      expect(again.filter(({ allowed }) => allowed)).toHaveLength(slow.limit);
    });

    it('refused requests cost nothing', async () => {
      for (let n = 0; n < slow.limit; n++) await takeAs('zitadel|alice');
      const before = await takeAs('zitadel|alice');
      for (let n = 0; n < 50; n++) await takeAs('zitadel|alice');
      const after = await takeAs('zitadel|alice');
      expect(after.retryAfterMs).toBeLessThanOrEqual(before.retryAfterMs);
    });

    it('keeps callers apart, and policies of one caller', async () => {
      const one: RatePolicy = { name: 'one', limit: 1, windowMs: HOUR_MS };
      expect((await takeAs('zitadel|alice', one)).allowed).toBe(true);
      expect((await takeAs('zitadel|alice', one)).allowed).toBe(false);
      expect((await takeAs('kanidm|alice', one)).allowed).toBe(true);
      expect((await takeAs('zitadel|alice', { ...one, name: 'other' })).allowed).toBe(true);
    });

    it('takes any text as a caller, also one of a megabyte', async () => {
      const callers = ['', '{}', 'a}b{c', 'a\r\nSET x 1', '\u0000', 'é', 'x'.repeat(1_000_000)];
      const one: RatePolicy = { name: 'one', limit: 1, windowMs: HOUR_MS };
      for (const caller of callers) expect((await takeAs(caller, one)).allowed).toBe(true);
      for (const caller of callers) expect((await takeAs(caller, one)).allowed).toBe(false);
    });

    it('never admits more than the limit in any window, wherever it begins', async () => {
      const minute: RatePolicy = { name: 'minute', limit: 100, windowMs: 60_000 };
      const flood = async (count: number) =>
        (await Promise.all(Array.from({ length: count }, () => takeAs('zitadel|alice', minute)))).filter(
          ({ allowed }) => allowed,
        ).length;
      expect(await flood(60)).toBe(60);
      await store().advance(50_000);
      expect(await flood(100)).toBe(40);
      // The first sixty are gone, the forty are not.
      await store().advance(20_000);
      expect(await flood(200)).toBe(60);
      await store().advance(30_000);
      expect(await flood(200)).toBe(0);
    });

    it('counts as the counters in memory do, over any sequence of takes and pauses', async () => {
      // No number of pauses is near a window or its twentieth: the time that the test takes itself decides nothing.
      const unitMs = 2_400_000;
      const windowMs = 30.5 * unitMs;
      const step = fc.record({
        units: fc.integer({ min: 0, max: 3 }),
        takes: fc.integer({ min: 1, max: 4 }),
      });
      const steps = fc.array(step, { minLength: 10, maxLength: 40 });
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(1, 5, 20, 21, 40), steps, async (limit, all) => {
          await store().reset();
          counters = (await store().clients(1))[0]!;
          const clock = manualClock();
          const model = new MemoryCounters({ clock });
          const policy = { name: 'any', limit, windowMs };
          for (const { units, takes } of all) {
            await store().advance(units * unitMs);
            clock.advance((units * unitMs) / 1_000);
            const asked = Array.from({ length: takes }, () => ({ caller: 'zitadel|alice', policy }));
            const taken = await Promise.all(asked.map(async (each) => counters.take(each)));
            const wanted = asked.map((each) => model.take(each));
            expect(taken.map(({ allowed, remaining }) => [allowed, remaining])).toEqual(
              wanted.map(({ allowed, remaining }) => [allowed, remaining]),
            );
            taken.forEach(({ retryAfterMs, resetMs }, at) => {
              expect(Math.abs(retryAfterMs - wanted[at]!.retryAfterMs)).toBeLessThan(unitMs / 2);
              expect(Math.abs(resetMs - wanted[at]!.resetMs)).toBeLessThan(unitMs / 2);
            });
          }
        }),
        { numRuns: times(60, 5) },
      );
    });

    it('counts a rate that is no whole number of microseconds per request without giving one away', async () => {
      const odd: RatePolicy = { name: 'odd', limit: 9_999, windowMs: HOUR_MS };
      for (let n = 0; n < 20; n++) await takeAs('zitadel|alice', odd);
      expect((await takeAs('zitadel|alice', odd)).remaining).toBe(9_978);
    });
  });

  describe('marks', () => {
    const gone = (version: number) => ({ version, notBefore: Infinity });
    const back = (version: number, notBefore: number) => ({ version, notBefore });
    const markOf = async (caller = 'zitadel|alice') => (await takeAs(caller)).mark;

    it('are seen by the next take of every client, for that caller alone, until it is back', async () => {
      const [here, there] = [counters, (await store().clients(8)).at(-1)!];
      await here.mark('zitadel|alice', gone(1), 60);
      expect((await there.take({ caller: 'zitadel|alice', policy: slow })).mark).toEqual(gone(1));
      expect((await there.take({ caller: 'zitadel|bob', policy: slow })).mark).toBeUndefined();
      await there.mark('zitadel|alice', back(2, 1_700_000_000_123), 60);
      expect(await markOf()).toEqual(back(2, 1_700_000_000_123));
    });

    it('are of their own caller and organisation alone among takes of one moment', async () => {
      await counters.mark('zitadel|gone', gone(1), 60);
      await counters.mark('zitadel|back', back(2, 1_700_000_000_123), 60);
      await counters.mark('zitadel|org:closed', gone(3), 60);
      const asked = ['here', 'gone', 'back', 'gone', 'here'].flatMap((who) =>
        [undefined, 'zitadel|org:closed', 'zitadel|org:open'].map((organization) => ({ who, organization })),
      );
      const taken = await Promise.all(
        asked.map(async ({ who, organization }) =>
          counters.take({ caller: `zitadel|${who}`, policy: slow, organization }),
        ),
      );
      const marks: Record<string, unknown> = { gone: gone(1), back: back(2, 1_700_000_000_123) };
      taken.forEach(({ mark, organizationMark }, at) => {
        const { who, organization } = asked[at]!;
        expect(mark).toEqual(marks[who]);
        expect(organizationMark).toEqual(organization === 'zitadel|org:closed' ? gone(3) : undefined);
      });
    });

    it('of a session are seen by takes of that session alone, of its caller or not', async () => {
      await counters.mark('session|alice|sid:ended', gone(1), 60);
      await counters.mark('zitadel|org:closed', gone(3), 60);
      const asked = [
        undefined,
        'session|alice|sid:ended',
        'session|alice|sid:other',
        'session|bob|sid:ended',
      ];
      for (const organization of [undefined, 'zitadel|org:closed', 'zitadel|org:open'])
        for (const session of asked) {
          const taken = await counters.take({
            caller: 'session|alice',
            policy: slow,
            ...{ organization, session },
          });
          expect(taken.mark).toBeUndefined();
          expect(taken.sessionMark).toEqual(session === asked[1] ? gone(1) : undefined);
          expect(taken.organizationMark).toEqual(organization === 'zitadel|org:closed' ? gone(3) : undefined);
        }
    });

    it('are seen on a refused request too', async () => {
      for (let n = 0; n < slow.limit; n++) await takeAs('zitadel|alice');
      await counters.mark('zitadel|alice', gone(1), 60);
      expect(await takeAs('zitadel|alice')).toMatchObject({ allowed: false, mark: gone(1) });
    });

    it('of the higher version count, in whatever order they come', async () => {
      const marks = [
        gone(-9_000_000_000_000_000),
        back(3, 5),
        gone(4),
        back(7, 9),
        gone(Number.MAX_SAFE_INTEGER),
      ];
      for (const first of marks)
        for (const second of marks) {
          await store().reset();
          counters = (await store().clients(1))[0]!;
          await counters.mark('zitadel|alice', first, 60);
          await counters.mark('zitadel|alice', second, 60);
          expect(await markOf()).toEqual(first.version > second.version ? first : second);
        }
    });

    it('end with their time', async () => {
      await counters.mark('zitadel|alice', gone(1), 600);
      await store().advance(300_000);
      expect(await markOf()).toEqual(gone(1));
      await store().advance(301_000);
      expect(await markOf()).toBeUndefined();
    });
  });

  it('a store that is there answers a ping', async () => {
    await expect(Promise.resolve(counters.ping())).resolves.toBeUndefined();
  });
}
