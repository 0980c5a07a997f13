import { setTimeout as delay } from 'node:timers/promises';
import type { FeatureRule } from '../../functions/feature-sync/changes.ts';
import { openFeatureSync } from '../../functions/feature-sync/function.ts';
import { patient } from '../../functions/feature-sync/write.ts';
import { syncFeatures } from '../../functions/feature-sync/sync.ts';
import type { Tuple } from '../../shared/ports/tuples.ts';
import type { LifecycleGround } from './ground.ts';
import { eachBatch, fill, readAll, timed, type Side } from './sides.ts';

/** Of all tuples, those that the plain loop is measured on. */
export const LOOP_SAMPLE = 1 / 100;

/** A rename by feature sync, as the command runs it. */
export function renamed(ground: LifecycleGround, count: number): Side {
  const { deps, database } = ground;
  const { random, models, tuples } = deps;
  const { processes } = deps.platform;
  return withViewers(ground, count, ({ from, to }) => {
    const request = {
      previous: [guardedBy(from)],
      current: [guardedBy(to)],
      phase: 'both',
      allowWidening: false,
    } as const;
    return timed(async () => {
      const sync = openFeatureSync({
        ...{ tuples, models, database, random, processes },
        patience: { waitMs: 0, sleep: delay },
        onProgress: () => undefined,
      });
      const outcome = await syncFeatures(request, sync);
      const whole = outcome.kind === 'done' && outcome.verification.expected === count;
      if (!whole || outcome.verification.missing + outcome.verification.left > 0)
        throw new Error(`the rename of the bench ended as ${outcome.kind}`);
    });
  });
}

/** What the promise needs of OpenFGA: read, copy, read again for late grants, delete, count both; nothing is kept. */
export function renamedBare(ground: LifecycleGround, count: number): Side {
  const tuples = patient(ground.deps.tuples, delay);
  return withViewers(ground, count, ({ from, to }) =>
    timed(async () => {
      const found = await readAll(tuples, { object: from });
      await eachBatch(found, (batch) => tuples.write({ writes: batch.map(movedTo(to)) }));
      await readAll(tuples, { object: from });
      await eachBatch(found, (deletes) => tuples.write({ deletes }));
      await readAll(tuples, { object: from });
      await readAll(tuples, { object: to });
    }),
  );
}

/** One write and one delete for each tuple, one after the other; milliseconds scaled from a hundredth of them. */
export function renamedByLoop(ground: LifecycleGround, count: number): Side {
  const { tuples } = ground.deps;
  return withViewers(ground, count, async ({ from, to }) => {
    const sample = viewers(from, Math.ceil(count * LOOP_SAMPLE));
    const ms = await timed(async () => {
      for (const each of sample) {
        await tuples.write({ writes: [movedTo(to)(each)] });
        await tuples.write({ deletes: [each] });
      }
    });
    return ms * (count / sample.length);
  });
}

interface Names {
  readonly from: string;
  readonly to: string;
}

/** With features of its own, filled before the clock runs: what two rules files did once is not done again. */
function withViewers(
  { deps }: LifecycleGround,
  count: number,
  work: (names: Names) => Promise<number>,
): Side {
  return async () => {
    const name = deps.random.uuid();
    const names = { from: `feature:${name}_old`, to: `feature:${name}_new` };
    await fill(patient(deps.tuples, delay), viewers(names.from, count));
    return work(names);
  };
}

function viewers(object: string, count: number): Tuple[] {
  return Array.from({ length: count }, (_, n) => ({ user: `user:${n}`, relation: 'viewer', object }));
}

function movedTo(object: string): (tuple: Tuple) => Tuple {
  return (tuple) => ({ ...tuple, object });
}

function guardedBy(object: string): FeatureRule {
  const requirement = { kind: 'feature', object, relation: 'viewer' } as const;
  return { shape: '=x', path: '/x', methods: ['GET'], requirement };
}
