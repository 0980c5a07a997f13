import { readFileSync } from 'node:fs';
import { transformer } from '@openfga/syntax-transformer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareRules, touchedFeatures } from '../../functions/feature-sync/changes.ts';
import { effectsOf } from '../../functions/feature-sync/effects.ts';
import { readSnapshot } from '../../functions/feature-sync/effects.ts';
import { wideningOf } from '../../functions/feature-sync/widening.ts';
import { authorizationModelSchema } from '../../shared/ports/authorization-models.ts';
import type { Tuple } from '../../shared/ports/tuples.ts';
import { MemoryTuples, tuple } from './memory.ts';
import { rules } from './rules.ts';

const model = authorizationModelSchema.parse(
  transformer.transformDSLToJSONObject(readFileSync('config/model.fga', 'utf8')),
);
/** By config/model.fga: admin includes manager, manager includes viewer. */
const GIVES: Readonly<Record<string, readonly string[]>> = {
  viewer: ['viewer', 'manager', 'admin'],
  manager: ['manager', 'admin'],
};
const USERS = ['user:ann', 'user:bob', 'user:cat'];
const FEATURES = ['a', 'b', 'c', 'd', 'e'];

type Guards = Readonly<Record<string, string>>;

function passes(user: string, guard: string, tuples: MemoryTuples): boolean {
  const [feature = '', relation = 'viewer'] = guard.split('#');
  return (GIVES[relation] ?? []).some((each) => tuples.all.has(`${user} ${each} feature:${feature}`));
}

const feature = fc.constantFrom(...FEATURES.slice(0, 4));
const guards = fc.dictionary(fc.constantFrom('w', 'x', 'y', 'z'), feature, { noNullPrototype: true });
const tuples = fc
  .uniqueArray(
    fc
      .tuple(
        fc.constantFrom(...USERS),
        fc.constantFrom('viewer', 'manager', 'admin'),
        fc.constantFrom(...FEATURES),
      )
      .map(([user, relation, on]) => `${user} ${relation} feature:${on}`),
    { maxLength: 14 },
  )
  .map((lines) => lines.map(tuple));

async function planned(before: Guards, after: Guards, all: readonly Tuple[]) {
  const store = new MemoryTuples(all);
  const changes = compareRules(rules(before), rules(after));
  const snapshot = await readSnapshot(store, touchedFeatures(changes));
  const effects = effectsOf(changes, snapshot);
  return { store, changes, effects, widening: wideningOf(changes, snapshot, effects, model) };
}

const kept = (before: Guards, after: Guards): string[] => Object.keys(after).filter((path) => path in before);

describe('for any two rules files and any tuples', () => {
  it('nobody is refused at any point: not by the old rules during expand, not by the new ones after', async () => {
    await fc.assert(
      fc.asyncProperty(guards, guards, tuples, async (before, after, all) => {
        const { store, effects } = await planned(before, after, all);
        const had = Object.entries(before).flatMap(([path, guard]) =>
          USERS.filter((user) => passes(user, guard, store)).map((user) => ({ user, path })),
        );
        const still = (rulesNow: Guards): void => {
          for (const { user, path } of had) {
            const guard = rulesNow[path];
            if (guard !== undefined) expect(passes(user, guard, store), `${user} ${path}`).toBe(true);
          }
        };
        for (const each of effects.writes) {
          await store.write({ writes: [each] });
          still(before);
        }
        still(after);
        for (const each of effects.deletes) {
          await store.write({ deletes: [each] });
          still(after);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('whoever gains a path that was guarded before is announced, and nobody is announced who does not', async () => {
    await fc.assert(
      fc.asyncProperty(guards, guards, tuples, async (before, after, all) => {
        const { store, changes, effects, widening } = await planned(before, after, all);
        const former = new MemoryTuples(all);
        await store.write({ writes: effects.writes });
        await store.write({ deletes: effects.deletes });
        const touched = new Set([...effects.writes.map(({ object }) => object), ...changes.replaced]);
        for (const path of kept(before, after)) {
          const [then = '', now = ''] = [before[path], after[path]];
          const gained = USERS.some((user) => passes(user, now, store) && !passes(user, then, former));
          const announced = widening.some(({ points }) => points.includes(`GET /${path}`));
          if (touched.has(`feature:${now}`)) expect(announced, path).toBe(gained);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('features the former rules do not name lose nothing, and the reverse brings the former tuples back', async () => {
    await fc.assert(
      fc.asyncProperty(guards, guards, tuples, async (before, after, all) => {
        const { store, effects } = await planned(before, after, all);
        const former = store.shown;
        const named = new Set(Object.values(before).map((name) => `feature:${name}`));
        expect(effects.deletes.filter(({ object }) => !named.has(object))).toEqual([]);
        await store.write({ writes: effects.writes });
        await store.write({ deletes: effects.deletes });
        await store.write({ writes: effects.deletes });
        await store.write({ deletes: effects.writes });
        expect(store.shown).toEqual(former);
      }),
      { numRuns: 300 },
    );
  });
});
