import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Shares, type Waiting } from '../../shared/adapters/undici/target.ts';

/** Counts what each address holds and how many of it wait, as the caller of Shares sees it. */
function ground(capacity: number) {
  const shares = new Shares(capacity);
  const held = new Map<string, number>();
  const waiting: { readonly address: string; readonly who: Waiting }[] = [];
  const note = (address: string, change: number): void => {
    held.set(address, (held.get(address) ?? 0) + change);
  };
  const heldBy = (address: string): number => held.get(address) ?? 0;
  return {
    held: heldBy,
    total: (): number => [...held.values()].reduce((sum, one) => sum + one, 0),
    waiting,
    enter: (address: string): boolean => {
      const entry = {
        address,
        who: {
          begin: (): void => {
            waiting.splice(waiting.indexOf(entry), 1);
            note(address, 1);
          },
        },
      };
      const at = shares.enter(address, entry.who);
      if (at) note(address, 1);
      else waiting.push(entry);
      return at;
    },
    leave: (address: string): void => {
      if (heldBy(address) === 0) return;
      note(address, -1);
      shares.leave(address);
    },
    withdraw: (): void => {
      const [entry] = waiting.splice(0, 1);
      if (entry !== undefined) shares.withdraw(entry.address, entry.who);
    },
  };
}

it('one address alone holds half, and a second one still finds a connection at once', () => {
  const { enter } = ground(1_024);
  const first = Array.from({ length: 1_040 }, () => enter('192.0.2.1'));
  expect(first.filter(Boolean)).toHaveLength(512);
  expect(enter('192.0.2.2')).toBe(true);
});

it('who waits is served as soon as its share allows, addresses in turn', () => {
  const { enter, leave, held, waiting } = ground(4);
  for (const address of ['a', 'a', 'b', 'a', 'b', 'a']) enter(address);
  expect([held('a'), held('b'), waiting.length]).toEqual([2, 1, 3]);
  leave('a');
  expect([held('a'), held('b'), waiting.length]).toEqual([2, 1, 2]);
  leave('b');
  leave('a');
  expect([held('a'), held('b'), waiting.length]).toEqual([2, 1, 0]);
});

it('whatever comes and goes: never more than the capacity, nobody without a connection waits while one is free', () => {
  const step = fc.tuple(fc.constantFrom('enter', 'leave', 'withdraw'), fc.constantFrom('a', 'b', 'c', 'd'));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.array(step, { maxLength: 200 }), (capacity, steps) => {
      const on = ground(capacity);
      for (const [what, address] of steps) {
        if (what === 'withdraw') on.withdraw();
        else on[what](address);
        const free = capacity - on.total();
        expect(free).toBeGreaterThanOrEqual(0);
        for (const entry of on.waiting) expect(on.held(entry.address)).toBeGreaterThanOrEqual(free);
      }
      while (on.total() > 0) for (const address of ['a', 'b', 'c', 'd']) on.leave(address);
      expect(on.waiting).toEqual([]);
    }),
  );
});
