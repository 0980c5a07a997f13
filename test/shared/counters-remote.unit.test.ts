import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryCounters } from '../../shared/adapters/counters/memory.ts';
import { RemoteCounters } from '../../shared/adapters/counters/remote.ts';
import { FallbackCounters, type FailureMode } from '../../shared/counting/fallback.ts';
import { CountersUnavailable } from '../../shared/errors.ts';
import { manualClock } from '../support/clock.ts';

const policy = { name: 'default', limit: 3, windowMs: 60_000 };
const of = (caller: number) => ({ caller: `zitadel|${caller}`, policy });
const several = (count: number, first = 0) => Array.from({ length: count }, (_, n) => of(first + n));

/** One call of the script, which the test answers. */
interface Call {
  readonly takes: number;
  readonly keys: readonly string[];
  answer(lines?: readonly string[]): Promise<void>;
  fail(message: string): Promise<void>;
}

let calls: Call[];
/** What was put off to the end of the turn. */
let putOff: (() => void)[];
beforeEach(() => {
  [calls, putOff] = [[], []];
});

/** Promises that follow from what was just settled have settled too. */
const settled = () => new Promise<void>((done) => setImmediate(done));

function send(command: string[]): Promise<unknown> {
  const count = Number(command[2]);
  return new Promise((resolve, reject) => {
    calls.push({
      takes: count / 3,
      keys: command.slice(3, 3 + count),
      answer: (lines) => {
        resolve(
          ['store', ...(lines ?? Array.from({ length: count / 3 }, () => '1 2 60000000 0'))].join('\n'),
        );
        return settled();
      },
      fail: (message) => {
        reject(new Error(message));
        return settled();
      },
    });
  });
}

const joining = () => new RemoteCounters(send, (work) => putOff.push(work));
const endTurn = (): void => {
  for (const work of putOff.splice(0)) work();
};
const sizes = () => calls.map(({ takes }) => takes);

describe('takes of one turn', () => {
  it('a lone one leaves at once, also after others that came alone', () => {
    const counters = joining();
    for (let turn = 1; turn <= 3; turn++) {
      void counters.take(of(1));
      expect(calls).toHaveLength(turn);
      endTurn();
      expect(calls).toHaveLength(turn);
    }
  });

  it('leave together at its end, from the turn on that follows a crowd, until one comes alone again', () => {
    const counters = joining();
    for (const request of several(5)) void counters.take(request);
    endTurn();
    expect(sizes()).toEqual([1, 4]);
    for (const request of several(5)) void counters.take(request);
    expect(sizes()).toEqual([1, 4]);
    endTurn();
    expect(sizes()).toEqual([1, 4, 5]);
    void counters.take(of(1));
    endTurn();
    void counters.take(of(1));
    expect(sizes()).toEqual([1, 4, 5, 1, 1]);
  });

  it('leave in calls of 128 at most', () => {
    const counters = joining();
    for (const request of several(300)) void counters.take(request);
    endTurn();
    expect(sizes()).toEqual([1, 128, 128, 43]);
  });

  it('have each its own answer, in their order', async () => {
    const counters = joining();
    const taken = Promise.all(several(3).map((request) => counters.take(request)));
    endTurn();
    await calls[0]!.answer(['1 2 60000000 0']);
    await calls[1]!.answer(['0 0 59000000 1500001', '1 1 1 0|v7||v9|v11']);
    const rest = { store: 'store', organizationMark: undefined, mark: undefined };
    expect(await taken).toEqual([
      { ...rest, allowed: true, remaining: 2, resetMs: 60_000, retryAfterMs: 0 },
      { ...rest, allowed: false, remaining: 0, resetMs: 59_000, retryAfterMs: 1_501 },
      {
        ...{ store: 'store', allowed: true, remaining: 1, resetMs: 1, retryAfterMs: 0 },
        mark: { version: 7, notBefore: Infinity },
        organizationMark: { version: 9, notBefore: Infinity },
        sessionMark: { version: 11, notBefore: Infinity },
      },
    ]);
  });

  it('are calls of their own where none may wait for another', () => {
    const counters = new RemoteCounters(send);
    for (const request of several(3)) void counters.take(request);
    expect(sizes()).toEqual([1, 1, 1]);
  });
});

describe('a call that fails', () => {
  async function outcomes(mode: FailureMode) {
    const clock = manualClock();
    const counters = new FallbackCounters({
      shared: joining(),
      local: new MemoryCounters({ clock }),
      mode,
      clock,
      random: { uuid: () => 'id' },
      background: (work) => void work.catch(() => undefined),
      log: { info: () => undefined, warn: () => undefined },
    });
    const taken = Promise.allSettled(several(130).map((request) => counters.take(request)));
    endTurn();
    // One alone, 128, and what is left of them.
    await calls[0]!.answer();
    await calls[1]!.fail('OOM command not allowed');
    await calls[2]!.answer();
    return taken;
  }

  it('fails its own takes and no others: all of them are refused when closed', async () => {
    const all = await outcomes('closed');
    expect(all.map(({ status }) => status === 'fulfilled')).toEqual(
      Array.from({ length: 130 }, (_, n) => n === 0 || n === 129),
    );
    expect(all[1]).toMatchObject({ reason: expect.any(CountersUnavailable) as Error });
  });

  it('leaves them to the counters of this process when local', async () => {
    const all = await outcomes('local');
    expect(all.every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(all[1]).toMatchObject({ value: { allowed: true, remaining: 2 } });
    expect(all[1]).not.toHaveProperty('value.store');
  });

  it.each([
    ['a line too few', ['1 2 60000000 0']],
    ['a line too many', ['1 2 1 0', '1 2 1 0', '1 2 1 0']],
    ['a line of something else', ['1 2 1 0', 'OK']],
    ['a number that is none', ['1 2 1 0', '1 -2 1 0']],
  ])('as one does that answers %s', async (_name, lines) => {
    const counters = joining();
    const taken = Promise.allSettled(several(3).map((request) => counters.take(request)));
    endTurn();
    await calls[0]!.answer();
    await calls[1]!.answer(lines);
    expect((await taken).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  });
});

describe('a store that refuses what lives on several nodes', () => {
  it('gets one call for each caller, and from then on at first', async () => {
    const counters = joining();
    const twice = [...several(3), ...several(3)];
    const taken = Promise.all([of(9), ...twice].map((request) => counters.take(request)));
    endTurn();
    await calls[0]!.answer();
    await calls[1]!.fail("CROSSSLOT Keys in request don't hash to the same slot");
    expect(sizes()).toEqual([1, 6, 2, 2, 2]);
    for (const { keys } of calls.slice(2)) expect(new Set(keys.map((key) => key.split('}')[0])).size).toBe(1);
    for (const call of calls.slice(2)) await call.answer();
    expect(await taken).toHaveLength(7);
    for (const request of twice) void counters.take(request);
    endTurn();
    expect(sizes().slice(5)).toEqual([2, 2, 2]);
  });

  it('and refuses one caller as well is away', async () => {
    const counters = joining();
    const refused = expect(counters.take(of(1))).rejects.toThrow(CountersUnavailable);
    await calls[0]!.fail("CROSSSLOT Keys in request don't hash to the same slot");
    await refused;
    expect(calls).toHaveLength(1);
  });

  it('and refuses several takes of one caller is away, and is not called again for them', async () => {
    const counters = joining();
    void counters.take(of(9));
    const refused = [of(1), of(1)].map((request) =>
      expect(counters.take(request)).rejects.toThrow(CountersUnavailable),
    );
    endTurn();
    await calls[0]!.answer();
    await calls[1]!.fail("CROSSSLOT Keys in request don't hash to the same slot");
    await Promise.all(refused);
    expect(calls).toHaveLength(2);
  });
});
