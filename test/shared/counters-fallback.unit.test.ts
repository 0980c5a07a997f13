import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryCounters } from '../../shared/adapters/counters-memory.ts';
import { FallbackCounters, type CountersState, type FailureMode } from '../../shared/counters-fallback.ts';
import { CountersUnavailable } from '../../shared/errors.ts';
import type { Counters, Revocations, TakeRequest } from '../../shared/ports.ts';
import { manualClock, type ManualClock } from '../support/clock.ts';

const policy = { name: 'default', limit: 3, windowMs: 60_000 };
const request = { caller: 'zitadel|alice', policy };

/** A shared store with a switch. */
class SwitchedStore implements Counters, Revocations {
  away = false;
  asked = 0;
  readonly #inner: MemoryCounters;

  constructor(clock: ManualClock) {
    this.#inner = new MemoryCounters({ clock });
  }

  #answer<T>(value: () => T): Promise<T> {
    this.asked++;
    return this.away ? Promise.reject(new CountersUnavailable('switched off')) : Promise.resolve(value());
  }

  take(taken: TakeRequest) {
    return this.#answer(() => this.#inner.take(taken));
  }
  ping() {
    return this.#answer(() => undefined);
  }
  async revoke(caller: string, seconds: number) {
    await this.#answer(() => undefined);
    await this.#inner.revoke(caller, seconds);
  }
  async restore(caller: string) {
    await this.#answer(() => undefined);
    await this.#inner.restore(caller);
  }
}

let clock: ManualClock;
let shared: SwitchedStore;
let changes: CountersState[];

beforeEach(() => {
  clock = manualClock();
  shared = new SwitchedStore(clock);
  changes = [];
});

function counters(mode: FailureMode): FallbackCounters {
  const local = new MemoryCounters({ clock });
  return new FallbackCounters({ shared, local, mode, clock, onChange: (state) => changes.push(state) });
}

describe('while the counter store is away', () => {
  it('local: each instance admits exactly the limit by itself', async () => {
    shared.away = true;
    const instances = [counters('local'), counters('local')];
    const takes = instances.flatMap((one) => Array.from({ length: 20 }, () => one.take(request)));
    const admitted = (await Promise.all(takes)).filter((taken) => taken.allowed);
    expect(admitted).toHaveLength(2 * policy.limit);
  });

  it('open: everyone is admitted, and the state says that nobody counts', async () => {
    shared.away = true;
    const open = counters('open');
    for (let n = 0; n < 10; n++) expect((await open.take(request)).allowed).toBe(true);
    expect(open.state).toEqual({
      store: 'away',
      mode: 'open',
      sinceMs: clock.now(),
      reason: 'switched off',
    });
  });

  it('closed: everyone is refused as unavailable, also during the pause', async () => {
    shared.away = true;
    const closed = counters('closed');
    for (let n = 0; n < 3; n++) await expect(closed.take(request)).rejects.toThrow(CountersUnavailable);
    expect(shared.asked).toBe(1);
  });

  it('one request a second tries the store, all others do not wait for it', async () => {
    shared.away = true;
    const local = counters('local');
    await local.take(request);
    clock.advance(0.999);
    await Promise.all(Array.from({ length: 10 }, () => local.take(request)));
    expect(shared.asked).toBe(1);
    clock.advance(0.001);
    await Promise.all(Array.from({ length: 10 }, () => local.take(request)));
    expect(shared.asked).toBe(2);
  });

  it('the store counts again once it is back, and each change is told once', async () => {
    const local = counters('local');
    await local.take(request);
    shared.away = true;
    await local.take(request);
    await local.take(request);
    shared.away = false;
    clock.advance(1);
    expect((await local.take(request)).remaining).toBe(1);
    await local.take(request);
    expect(changes.map(({ store }) => store)).toEqual(['away', 'up']);
    expect(local.state).toEqual({ store: 'up' });
  });

  it.each(['local', 'open'] as const)('%s: a subject once seen revoked stays out', async (mode) => {
    const instance = counters(mode);
    await shared.revoke(request.caller, 60);
    await instance.take(request);
    shared.away = true;
    expect(await instance.take(request)).toMatchObject({ revoked: true });
    expect(await instance.take({ caller: 'zitadel|bob', policy })).toMatchObject({ revoked: false });
  });

  it('a subject seen restored is let in', async () => {
    const instance = counters('local');
    await shared.revoke(request.caller, 60);
    await instance.take(request);
    await shared.restore(request.caller);
    await instance.take(request);
    shared.away = true;
    expect(await instance.take(request)).toMatchObject({ revoked: false });
  });

  it('a revocation that the store did not take is reported, and holds here', async () => {
    const instance = counters('local');
    shared.away = true;
    await expect(instance.revoke(request.caller, 60)).rejects.toThrow(CountersUnavailable);
    expect(await instance.take(request)).toMatchObject({ revoked: true });
  });

  it('readiness hears it from the store itself, even during the pause', async () => {
    const instance = counters('local');
    shared.away = true;
    await expect(instance.ping()).rejects.toThrow(CountersUnavailable);
    shared.away = false;
    await instance.ping();
    expect(instance.state).toEqual({ store: 'up' });
  });
});

it('other faults than an absent store are not covered up', async () => {
  const broken = new FallbackCounters({
    shared: Object.assign(shared, { take: () => Promise.reject(new TypeError('broken')) }),
    local: new MemoryCounters({ clock }),
    mode: 'open',
    clock,
  });
  await expect(broken.take(request)).rejects.toThrow(TypeError);
});
