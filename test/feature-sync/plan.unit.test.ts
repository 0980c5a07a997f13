import { readFileSync } from 'node:fs';
import { transformer } from '@openfga/syntax-transformer';
import { describe, expect, it } from 'vitest';
import { changesNothing, compareRules } from '../../functions/feature-sync/changes.ts';
import { effectsOf, FeatureSyncRefused } from '../../functions/feature-sync/effects.ts';
import { readSnapshot } from '../../functions/feature-sync/effects.ts';
import { overlapsOf, wideningOf } from '../../functions/feature-sync/widening.ts';
import { authorizationModelSchema } from '../../shared/ports/authorization-models.ts';
import { MemoryTuples, show, tuple } from './memory.ts';
import { rules } from './rules.ts';

const model = authorizationModelSchema.parse(
  transformer.transformDSLToJSONObject(readFileSync('config/model.fga', 'utf8')),
);

type Guards = Readonly<Record<string, string>>;

async function plan(before: Guards, after: Guards, ...tuples: string[]) {
  const changes = compareRules(rules(before), rules(after));
  const features = [...new Set([...changes.known, ...changes.carries.map(({ to }) => to)])];
  const snapshot = await readSnapshot(new MemoryTuples(tuples.map(tuple)), features);
  const effects = effectsOf(changes, snapshot);
  return {
    changes,
    writes: effects.writes.map(show),
    deletes: effects.deletes.map(show),
    widening: wideningOf(changes, snapshot, effects, model).map(
      ({ feature, relation, users, points }) => `${users} ${relation} ${feature} ${points.join(',')}`,
    ),
    overlaps: overlapsOf(changes, snapshot, effects),
  };
}

const ANN_A = 'user:ann viewer feature:a';
const BOB_B = 'user:bob viewer feature:b';

describe('a change of rules becomes', () => {
  it('for a rename: every relation carried, the old deleted, nobody gaining', async () => {
    const planned = await plan({ x: 'a' }, { x: 'b' }, ANN_A, 'role:r#assignee admin feature:a');
    expect(planned).toMatchObject({
      writes: ['role:r#assignee admin feature:b', 'user:ann viewer feature:b'],
      deletes: ['role:r#assignee admin feature:a', ANN_A],
      widening: [],
    });
  });

  it('for a split: a copy each', async () => {
    const { writes, widening } = await plan({ x: 'a', y: 'a' }, { x: 'b', y: 'c' }, ANN_A);
    expect(writes).toEqual(['user:ann viewer feature:b', 'user:ann viewer feature:c']);
    expect(widening).toEqual([]);
  });

  it('for a split of which one part keeps the name: the copy alone', async () => {
    const { writes, deletes } = await plan({ x: 'a', y: 'a' }, { x: 'a', y: 'c' }, ANN_A);
    expect({ writes, deletes }).toEqual({ writes: ['user:ann viewer feature:c'], deletes: [] });
  });

  it('for a swap: what the other had, from the snapshot', async () => {
    const planned = await plan({ x: 'a', y: 'b' }, { x: 'b', y: 'a' }, ANN_A, BOB_B);
    expect(planned).toMatchObject({
      writes: ['user:bob viewer feature:a', 'user:ann viewer feature:b'],
      deletes: [ANN_A, BOB_B],
      widening: [],
      overlaps: [
        { feature: 'feature:a', users: 2 },
        { feature: 'feature:b', users: 2 },
      ],
    });
  });

  it('for a chain: each one the tuples of the one before, not of the one before that', async () => {
    const planned = await plan({ x: 'a', y: 'b' }, { x: 'b', y: 'c' }, ANN_A, BOB_B);
    expect(planned).toMatchObject({
      writes: ['user:ann viewer feature:b', 'user:bob viewer feature:c'],
      deletes: [ANN_A, BOB_B],
      widening: [],
    });
  });

  it('for a dropped feature: its tuples gone, those of a renamed one not counted as dropped as well', async () => {
    const { changes, deletes } = await plan({ x: 'a', y: 'b' }, { x: 'c' }, ANN_A, BOB_B);
    expect(changes.carries).toEqual([{ from: 'feature:a', to: 'feature:c' }]);
    expect(deletes).toEqual([ANN_A, BOB_B]);
  });

  it('nothing for new paths, changed actions and features that the former rules do not name', async () => {
    const { changes } = await plan({ x: 'a' }, { x: 'a#manager', y: 'b' }, ANN_A, BOB_B);
    expect(changesNothing(changes)).toBe(true);
  });
});

describe('somebody gains, and is counted', () => {
  it('in a merge: each the paths of the other', async () => {
    const { widening } = await plan({ x: 'a', y: 'b' }, { x: 'c', y: 'c' }, ANN_A, BOB_B);
    expect(widening).toEqual(['2 viewer feature:c GET /x,GET /y']);
  });

  it('in a merge only who did not hold both', async () => {
    const { widening } = await plan(
      { x: 'a', y: 'b' },
      { x: 'c', y: 'c' },
      ANN_A,
      'user:ann admin feature:b',
    );
    expect(widening).toEqual([]);
  });

  it('in a rename onto a feature that is there, in the rules or in OpenFGA alone', async () => {
    expect((await plan({ x: 'a', y: 'b' }, { x: 'b', y: 'b' }, ANN_A, BOB_B)).widening).toEqual([
      '2 viewer feature:b GET /x,GET /y',
    ]);
    expect((await plan({ x: 'a' }, { x: 'b' }, ANN_A, BOB_B)).widening).toEqual([
      '1 viewer feature:b GET /x',
    ]);
  });

  it('when a rename asks for less than before', async () => {
    const { widening } = await plan({ x: 'a#manager' }, { x: 'b' }, ANN_A, 'user:max manager feature:a');
    expect(widening).toEqual(['1 viewer feature:b GET /x']);
  });

  it('but not where everyone could pass already', async () => {
    const { widening } = await plan(
      { x: 'a', y: 'b' },
      { x: 'c', y: 'c' },
      'user:* viewer feature:a',
      'user:* viewer feature:b',
      ANN_A,
    );
    expect(widening).toEqual([]);
  });
});

describe('a plan is refused', () => {
  it('when one subject would hold one relation under two conditions', async () => {
    const changes = compareRules(rules({ x: 'a', y: 'b' }), rules({ x: 'c', y: 'c' }));
    const tuples = new MemoryTuples([
      { ...tuple(ANN_A), condition: { name: 'by_day' } },
      tuple('user:ann viewer feature:b'),
    ]);
    const snapshot = await readSnapshot(tuples, changes.known);
    expect(() => effectsOf(changes, snapshot)).toThrow(FeatureSyncRefused);
  });
});
