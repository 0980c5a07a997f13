import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryCounters } from '../../shared/adapters/counters/memory.ts';
import {
  FallbackCounters,
  type CountersState,
  type FailureMode,
  type FallbackOptions,
} from '../../shared/counting/fallback.ts';
import { CountersUnavailable } from '../../shared/errors.ts';
import type { MarkSource } from '../../shared/identity/marks.ts';
import type { Mark } from '../../shared/ports/revocations.ts';
import type { TakeRequest } from '../../shared/ports/counters.ts';
import { manualClock, type ManualClock } from '../support/clock.ts';

const policy = { name: 'default', limit: 3, windowMs: 60_000 };
const request = { caller: 'zitadel|alice', policy };

// Long because one store with its switches serves every case of marks and limits.

type Store = FallbackOptions['shared'];

/** A shared store with a switch, which can also be emptied. */
class SwitchedStore implements Store {
  away = false;
  asked = 0;
  named = '';
  opened = 1;
  #inner: MemoryCounters;
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
    this.#inner = new MemoryCounters({ clock });
  }

  async #answer<T>(value: () => T): Promise<T> {
    this.asked++;
    if (this.away) throw new CountersUnavailable('switched off');
    return value();
  }

  empty() {
    this.#inner = new MemoryCounters({ clock: this.#clock });
    this.named = '';
  }
  take(taken: TakeRequest) {
    return this.#answer(() => ({ ...this.#inner.take(taken), store: this.named }));
  }
  connections() {
    return this.opened;
  }
  ping() {
    return this.#answer(() => undefined);
  }
  look() {
    return this.#answer(() => this.named);
  }
  name(name: string) {
    return this.#answer(() => void (this.named = name));
  }
  mark(caller: string, mark: Mark, seconds: number) {
    return this.#answer(() => void this.#inner.mark(caller, mark, seconds));
  }
  markOf(caller: string) {
    return this.#inner.marks.of(caller, this.#clock.now());
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

const GONE: Mark = { version: 5, notBefore: Infinity };
const BACK: Mark = { version: 6, notBefore: 1_000 };
const log = { info: () => undefined, warn: () => undefined };
const background: Promise<unknown>[] = [];
let names = 0;

function counters(mode: FailureMode): FallbackCounters {
  return new FallbackCounters({
    shared,
    local: new MemoryCounters({ clock }),
    mode,
    clock,
    random: { uuid: () => String((names += 1)) },
    background: (work) => background.push(work),
    log,
    onChange: (state) => changes.push(state),
  });
}

/** What runs beside the requests has ended. */
async function settled(): Promise<void> {
  while (background.length > 0) await Promise.all(background.splice(0));
}

const markAt = async (instance: FallbackCounters): Promise<Mark | undefined> =>
  (await instance.take(request)).mark;

/** A database of marks. */
function sourceOf(all: [string, Mark][]) {
  let asked = 0;
  const source: MarkSource = {
    async since(_time, tell) {
      asked += 1;
      for (const [caller, mark] of all) await tell(caller, mark);
    },
    of: async (caller) => all.findLast(([known]) => known === caller)?.[1],
  };
  return { source, all, asked: () => asked };
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
    await shared.mark(request.caller, GONE, 60);
    await instance.take(request);
    shared.away = true;
    expect(await markAt(instance)).toEqual(GONE);
    expect(await instance.take({ caller: 'zitadel|bob', policy })).toMatchObject({ mark: undefined });
  });

  it.each(['local', 'open'] as const)('%s: a session once seen ended stays out', async (mode) => {
    const instance = counters(mode);
    const [session, organization] = ['zitadel|alice|sid:1', 'zitadel|org:closed'];
    await shared.mark(session, GONE, 60);
    await shared.mark(organization, GONE, 60);
    const seen = await instance.take({ ...request, session, organization });
    shared.away = true;
    const kept = await instance.take({ ...request, session, organization });
    for (const taken of [seen, kept])
      expect(taken).toMatchObject({ mark: undefined, sessionMark: GONE, organizationMark: GONE });
    expect((await instance.take({ ...request, session: 'zitadel|alice|sid:2' })).sessionMark).toBeUndefined();
  });

  it('a subject seen back is let in', async () => {
    const instance = counters('local');
    await shared.mark(request.caller, GONE, 60);
    await instance.take(request);
    await shared.mark(request.caller, BACK, 60);
    await instance.take(request);
    shared.away = true;
    expect(await markAt(instance)).toEqual(BACK);
  });

  it('a revocation that the store did not take is reported, and holds here', async () => {
    const instance = counters('local');
    shared.away = true;
    await expect(instance.mark(request.caller, GONE, 60)).rejects.toThrow(CountersUnavailable);
    expect(await markAt(instance)).toEqual(GONE);
  });

  it('a revocation that the store did not take holds on when it is back, and is told to it', async () => {
    const [instance, other] = [counters('local'), counters('local')];
    await instance.take(request);
    await settled();
    shared.away = true;
    await expect(instance.mark(request.caller, GONE, 60)).rejects.toThrow(CountersUnavailable);
    shared.away = false;
    clock.advance(2);
    expect(await markAt(instance)).toEqual(GONE);
    await settled();
    expect(await markAt(other)).toEqual(GONE);
  });

  it('what another instance learned meanwhile is read from the source, twice a second', async () => {
    const instance = counters('local');
    const marks = sourceOf([]);
    instance.marksFrom(marks.source);
    await instance.take(request);
    await settled();
    shared.away = true;
    marks.all.push([request.caller, GONE]);
    await instance.look();
    expect(await markAt(instance)).toEqual(GONE);
    marks.all.push([request.caller, BACK]);
    clock.advance(0.5);
    await instance.look();
    expect(await markAt(instance)).toEqual(BACK);
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
  Object.assign(shared, { take: () => Promise.reject(new TypeError('broken')) });
  const broken = counters('open');
  await expect(broken.take(request)).rejects.toThrow(TypeError);
});

describe('a store that was emptied', () => {
  it('undoes no revocation that an instance knows, and is told it again', async () => {
    const [knowing, other] = [counters('local'), counters('local')];
    await knowing.mark(request.caller, GONE, 3_600);
    await Promise.all([knowing.take(request), other.take({ ...request, caller: 'zitadel|bob' })]);
    await settled();
    clock.advance(10);
    shared.empty();
    expect(await markAt(knowing)).toEqual(GONE);
    await settled();
    expect(await markAt(other)).toEqual(GONE);
  });

  it('is filled from the source by whoever notices, with what no instance knows', async () => {
    const instance = counters('local');
    const marks = sourceOf([['zitadel|carol', GONE]]);
    instance.marksFrom(marks.source);
    await instance.look();
    expect(shared.markOf('zitadel|carol')).toEqual(GONE);
    expect(shared.named).toMatch(/^complete:/);
    clock.advance(1);
    shared.empty();
    await instance.take(request);
    await settled();
    expect(shared.markOf('zitadel|carol')).toEqual(GONE);
  });

  it('is filled once, not with every request', async () => {
    const instance = counters('local');
    const marks = sourceOf([]);
    instance.marksFrom(marks.source);
    for (let n = 0; n < 20; n++) await instance.take(request);
    await settled();
    clock.advance(5);
    for (let n = 0; n < 20; n++) await instance.take(request);
    await settled();
    expect(marks.asked()).toBe(1);
  });

  it('that was named by an instance without a source is filled by the first that has one', async () => {
    const [poor, rich] = [counters('local'), counters('local')];
    rich.marksFrom(sourceOf([['zitadel|carol', GONE]]).source);
    await poor.look();
    expect(shared.named).toMatch(/^partial:/);
    await rich.look();
    expect(shared.named).toMatch(/^complete:/);
    expect(shared.markOf('zitadel|carol')).toEqual(GONE);
  });

  it('stays unnamed while the source is away, and is filled when that is back', async () => {
    const instance = counters('local');
    const marks = sourceOf([['zitadel|carol', GONE]]);
    let away = true;
    instance.marksFrom({
      ...marks.source,
      since: async (time, tell) => {
        if (away) throw new Error('away');
        await marks.source.since(time, tell);
      },
    });
    await instance.look();
    expect(shared.named).toBe('');
    away = false;
    clock.advance(1);
    await instance.look();
    expect(shared.markOf('zitadel|carol')).toEqual(GONE);
  });
});

describe('a store that fell back to a snapshot under its own name', () => {
  const restarted = async () => {
    const [knowing, other] = [counters('local'), counters('local')];
    // In turn: both would name the store.
    await knowing.look();
    await other.look();
    await knowing.mark(request.caller, GONE, 86_400);
    clock.advance(3_600);
    const name = shared.named;
    shared.empty();
    shared.named = name;
    return { knowing, other };
  };

  it('is told again what an outage may have cost it', async () => {
    const { knowing, other } = await restarted();
    shared.away = true;
    await knowing.look();
    shared.away = false;
    clock.advance(1);
    await knowing.look();
    expect(await markAt(other)).toEqual(GONE);
  });

  it('is told also when it was back before anything had failed', async () => {
    const { knowing, other } = await restarted();
    shared.opened += 1;
    await knowing.look();
    expect(await markAt(other)).toEqual(GONE);
  });
});

describe('the newer word counts', () => {
  it('of the store: what another instance told', async () => {
    const instance = counters('local');
    await instance.mark(request.caller, GONE, 60);
    await shared.mark(request.caller, BACK, 60);
    expect(await markAt(instance)).toEqual(BACK);
  });

  it('of this instance: a store that fell back to before, as a replica that lags does', async () => {
    const instance = counters('local');
    await shared.mark(request.caller, { version: 4, notBefore: 1 }, 60);
    await instance.take(request);
    await settled();
    shared.away = true;
    await expect(instance.mark(request.caller, GONE, 60)).rejects.toThrow(CountersUnavailable);
    shared.away = false;
    clock.advance(2);
    expect(await markAt(instance)).toEqual(GONE);
    await settled();
    expect(shared.markOf(request.caller)).toEqual(GONE);
  });

  it('of the source, where the store lost one mark by itself, as one that evicts does', async () => {
    const instance = counters('local');
    instance.marksFrom(sourceOf([[request.caller, BACK]]).source);
    await instance.mark(request.caller, GONE, 60);
    shared.empty();
    shared.named = 'complete:other';
    expect(await markAt(instance)).toEqual(GONE);
    await settled();
    expect(await markAt(instance)).toEqual(BACK);
  });
});
