import { beforeEach, describe, expect, it } from 'vitest';
import type { Tuple, TupleFilter, Tuples } from '../../shared/ports/tuples.ts';

const viewer = (user: string, object = 'feature:a'): Tuple => ({ user, relation: 'viewer', object });

/** What every holder of tuples promises. `open`: an empty one, of the model in config/model.fga. */
export function tuplesContract(name: string, open: () => Promise<Tuples>): void {
  describe(`tuples: ${name}`, () => {
    let tuples: Tuples;
    beforeEach(async () => {
      tuples = await open();
    });
    const read = async (filter: TupleFilter): Promise<string[]> => {
      const found: string[] = [];
      for (let next: string | undefined, first = true; first || next !== undefined; first = false) {
        const page = await tuples.read(filter, next);
        expect(page.tuples.length).toBeLessThanOrEqual(100);
        found.push(...page.tuples.map(({ user, relation, object }) => `${user} ${relation} ${object}`));
        next = page.next;
      }
      return found.sort();
    };

    it('writing what is there and deleting what is not changes nothing', async () => {
      await tuples.write({ writes: [viewer('user:1')] });
      await tuples.write({ writes: [viewer('user:1')], deletes: [viewer('user:2')] });
      expect(await read({})).toEqual(['user:1 viewer feature:a']);
      await tuples.write({ deletes: [viewer('user:1')] });
      await tuples.write({ deletes: [viewer('user:1')] });
      expect(await read({})).toEqual([]);
    });

    it('reads by user and type, by object, and by relation', async () => {
      await tuples.write({
        writes: [
          viewer('user:1'),
          viewer('user:2', 'feature:b'),
          viewer('user:1', 'document:a'),
          { user: 'user:1', relation: 'admin', object: 'feature:a' },
        ],
      });
      expect(await read({ user: 'user:1', object: 'feature:' })).toEqual([
        'user:1 admin feature:a',
        'user:1 viewer feature:a',
      ]);
      expect(await read({ object: 'feature:b' })).toEqual(['user:2 viewer feature:b']);
      expect(await read({ object: 'feature:a', relation: 'admin' })).toEqual(['user:1 admin feature:a']);
    });

    it('reads every tuple once over its pages', async () => {
      const writes = Array.from({ length: 250 }, (_, index) => viewer(`user:${1000 + index}`));
      for (let from = 0; from < writes.length; from += 100)
        await tuples.write({ writes: writes.slice(from, from + 100) });
      expect(await read({ object: 'feature:a' })).toEqual(
        writes.map(({ user }) => `${user} viewer feature:a`).sort(),
      );
    });

    it('knows the types whose objects can have tuples', async () => {
      expect([...(await tuples.objectTypes())].sort()).toEqual([
        'document',
        'feature',
        'organization',
        'role',
      ]);
    });
  });
}
