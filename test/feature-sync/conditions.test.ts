import { describe, expect, it } from 'vitest';
import { restoreRun } from '../../functions/feature-sync/restore.ts';
import { conditionOf } from '../../functions/feature-sync/effects.ts';
import { syncFeatures, type Phase, type SyncDeps } from '../../functions/feature-sync/sync.ts';
import type { Tuple } from '../../shared/ports/tuples.ts';
import { times } from '../support/scale.ts';
import { booksOf, emptyBooks } from './books.ts';
import { countCalls, Killed, killAt, openGround, type Ground } from './ground.ts';
import { show, tuple } from './memory.ts';
import { rules } from './rules.ts';
import { setStage, type Stage } from './stage.ts';
import { PAIRS } from './stores.ts';

/** The stand-in knows no conditions. */
const REAL = PAIRS[1]!;
const MODEL = `model
  schema 1.1
type user
type feature
  relations
    define viewer: [user, user with within, user with signed]
condition within(limits: map<double>, hour: double) {
  hour < limits["to"]
}
condition signed(name: string) {
  name != ""
}
`;
/** Keys that Postgres and OpenFGA return in different orders. */
const within = (to: number) => ({ name: 'within', context: { limits: { to, from: 8 } } });
const SIGNED = { name: 'signed' };
type Condition = Tuple['condition'];

/** By user: the condition before the run, and the one given between expand and contract. */
const CONDITIONS: readonly (readonly [before: Condition, after: Condition])[] = [
  [within(17), within(12)],
  [within(17), SIGNED],
  [within(17), undefined],
  [undefined, within(12)],
  [within(17), within(17)],
  [undefined, undefined],
];
const CHANGED = 4;
const held = (feature: string, when: 0 | 1): Tuple[] =>
  CONDITIONS.map((conditions, user) => ({
    ...tuple(`user:${user} viewer feature:${feature}`),
    ...(conditions[when] !== undefined && { condition: conditions[when] }),
  }));
const shown = (tuples: readonly Tuple[]): string[] =>
  tuples.map((each) => `${show(each)} ${conditionOf(each)}`).sort();
const AFTER = shown([...held('b', 1), ...held('c', 1)]);

describe.skipIf(REAL.fga.missing || REAL.postgres.missing)(
  'conditions changed between expand and contract',
  () => {
    let stage: Readonly<Stage>;
    setStage(REAL, (each) => {
      stage = each;
    });

    /** A split and a dropped feature that are expanded, and whose tuples then get other conditions. */
    async function changed(): Promise<Ground> {
      await emptyBooks(stage.tables);
      const ground = await openGround(stage.server.url, stage.database, MODEL);
      await ground.fill([...held('a', 0), ...held('gone', 0)]);
      await sync('expand', ground.process());
      const former = [...held('a', 0), ...held('gone', 0)].filter((_, n) => n % CONDITIONS.length < CHANGED);
      await ground.tuples.write({ deletes: former });
      await ground.tuples.write({ writes: [...held('a', 1), ...held('gone', 1)] });
      return ground;
    }
    const sync = (phase: Phase, deps: SyncDeps) =>
      syncFeatures(
        {
          ...{ previous: rules({ x: 'a', y: 'a', z: 'gone' }), current: rules({ x: 'b', y: 'c' }) },
          ...{ phase, allowWidening: false },
        },
        deps,
      );
    const everything = async ({ tuples }: Ground) => shown((await tuples.read({})).tuples);

    it('are those of the copies afterwards, and of the tuples that a restore brings back', async () => {
      const ground = await changed();
      const done = await sync('contract', ground.process());
      expect(done).toMatchObject({ kind: 'done', verification: { expected: 12, missing: 0, left: 0 } });
      expect(await everything(ground)).toEqual(AFTER);
      await restoreRun('runId' in done ? done.runId : '', ground.process());
      expect(await everything(ground)).toEqual(shown([...held('a', 1), ...held('gone', 1)]));
    });

    it('take no copy away but theirs, and write it again with the very next call', async () => {
      const ground = await changed();
      const calls: { deleted: string[]; written: string[] }[] = [];
      const { tuples, ...deps } = ground.process();
      const watched: SyncDeps['tuples'] = {
        read: tuples.read,
        write: ({ writes = [], deletes = [] }) => {
          calls.push({ deleted: deletes.map(show), written: writes.map(show) });
          return tuples.write({ writes, deletes });
        },
      };
      await sync('contract', { ...deps, tuples: watched });
      const copies = [...held('b', 1), ...held('c', 1)]
        .filter((_, n) => n % CONDITIONS.length < CHANGED)
        .map(show);
      expect(calls.slice(0, 2)).toEqual([
        { deleted: copies, written: [] },
        { deleted: [], written: copies },
      ]);
      expect(calls.slice(2).flatMap(({ deleted }) => deleted)).toEqual(
        [...held('a', 1), ...held('gone', 1)].map(show),
      );
    });

    it('killed at any call, contract ends as if never killed', async () => {
      const calls = countCalls();
      await sync('contract', (await changed()).process(calls.crash));
      const books = await booksOf(stage.tables);
      for (let at = 1; at <= calls.count(); at += times(1, 5)) {
        const ground = await changed();
        // The last calls only give the lease back.
        await sync('contract', ground.process(killAt(at))).catch((error: unknown) => {
          expect(error).toBeInstanceOf(Killed);
        });
        await sync('contract', ground.process());
        expect(await everything(ground), `call ${at}`).toEqual(AFTER);
        expect(await booksOf(stage.tables), `call ${at}`).toEqual(books);
      }
    });
  },
);
