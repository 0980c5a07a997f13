import { describe, expect, it } from 'vitest';
import { eachBatch, race, readAll, timeRatio } from '../../bench/lifecycle/sides.ts';
import type { Tuple } from '../../shared/ports/tuples.ts';

const viewers = (count: number): Tuple[] =>
  Array.from({ length: count }, (_, n) => ({ user: `user:${n}`, relation: 'viewer', object: 'feature:a' }));

describe('the sides of the lifecycle bench', () => {
  it('take turns, the other one first in every second round', async () => {
    const turns: string[] = [];
    const side = (name: string) => () => Promise.resolve(turns.push(name));
    const laps = await race(
      [
        ['ours', side('ours')],
        ['bare', side('bare')],
      ],
      2,
    );
    expect(turns).toEqual(['ours', 'bare', 'bare', 'ours']);
    expect(laps).toEqual(
      new Map([
        ['ours', [1, 4]],
        ['bare', [2, 3]],
      ]),
    );
  });

  it('are compared within a round, so that a slow spell of the machine cancels out', () => {
    const laps = new Map([
      ['ours', [12, 120, 11]],
      ['bare', [10, 100, 10]],
    ]);
    expect(timeRatio(laps, 'ours', 'bare')).toBe(1.2);
  });

  it('write every tuple once, by hundreds, four under way and no more', async () => {
    const written: Tuple[] = [];
    const sizes: number[] = [];
    let underWay = 0;
    let most = 0;
    await eachBatch(viewers(950), async (batch) => {
      most = Math.max(most, (underWay += 1));
      await Promise.resolve();
      written.push(...batch);
      sizes.push(batch.length);
      underWay -= 1;
    });
    expect(new Set(written.map(({ user }) => user)).size).toBe(950);
    expect(written).toHaveLength(950);
    expect(sizes.toSorted((a, b) => a - b)).toEqual([50, ...Array<number>(9).fill(100)]);
    expect(most).toBe(4);
  });

  it('read on until the last page, an empty one in between included', async () => {
    const [one, two] = viewers(2);
    const pages = [[one!], [], [two!]];
    const read = (_: object, at = '0') => {
      const next = Number(at) + 1;
      return Promise.resolve({
        tuples: pages[Number(at)]!,
        next: next < pages.length ? String(next) : undefined,
      });
    };
    expect(await readAll({ read }, { object: 'feature:a' })).toEqual([one, two]);
  });
});
