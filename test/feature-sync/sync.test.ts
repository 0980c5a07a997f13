import { describe, expect, it } from 'vitest';
import { restoreRun } from '../../functions/feature-sync/restore.ts';
import { syncFeatures, type Phase, type SyncDeps } from '../../functions/feature-sync/sync.ts';
import { AFTER, BEFORE, formerTuples, latterTuples, many, shown } from './change.ts';
import type { Ground } from './ground.ts';
import { tuple } from './memory.ts';
import { rules } from './rules.ts';
import { setStage } from './stage.ts';
import { SCALED_PAIRS, type TestDatabase } from './stores.ts';

const [FORMER, LATTER] = [formerTuples(), latterTuples()];

describe.each(SCALED_PAIRS)('feature sync on $fga.name and $postgres.name', ({ fga, postgres }) => {
  describe.skipIf(fga.missing || postgres.missing)('', () => {
    let tables: TestDatabase;
    let ground: Ground;
    setStage({ fga, postgres }, (stage) => {
      ({ tables, ground } = stage);
    });

    const sync = (deps: SyncDeps = ground.process(), phase: Phase = 'both', allowWidening = false) =>
      syncFeatures({ previous: rules(BEFORE), current: rules(AFTER), phase, allowWidening }, deps);

    it('carries over, counts, does it once only, and restores the exact former tuples', async () => {
      await ground.fill(FORMER);
      const done = await sync();
      expect(done).toMatchObject({ kind: 'done', verification: { expected: 291, missing: 0, left: 0 } });
      expect(await ground.shown()).toEqual(shown(LATTER));
      expect(await sync()).toMatchObject({ kind: 'already' });
      expect(await ground.shown()).toEqual(shown(LATTER));

      const runId = 'runId' in done ? done.runId : '';
      expect(await restoreRun(runId, ground.process())).toMatchObject({ already: false });
      expect(await ground.shown()).toEqual(shown(FORMER));
      expect(await restoreRun(runId, ground.process())).toMatchObject({ already: true });
      expect(await sync()).toMatchObject({ kind: 'done' });
    });

    it('keeps every former tuple between expand and contract', async () => {
      await ground.fill(FORMER);
      expect(await sync(ground.process(), 'expand')).toMatchObject({ kind: 'expanded' });
      expect(await ground.shown()).toEqual([...new Set(shown([...FORMER, ...LATTER]))].sort());
      expect(await sync(ground.process(), 'contract')).toMatchObject({ kind: 'done' });
      expect(await ground.shown()).toEqual(shown(LATTER));
    });

    it('carries what was granted meanwhile, and takes back what was taken away', async () => {
      await ground.fill(FORMER);
      await sync(ground.process(), 'expand');
      await ground.tuples.write({
        writes: [tuple('user:new viewer feature:a')],
        deletes: [tuple('user:5 viewer feature:a')],
      });
      await sync(ground.process(), 'contract');
      const now = await ground.shown();
      expect(now).toContain('user:new viewer feature:b');
      expect(now).not.toContain('user:5 viewer feature:b');
      expect(now.filter((line) => line.endsWith('feature:a'))).toEqual([]);
    });

    it('refuses to contract what was not expanded, and to begin while another change is half done', async () => {
      await ground.fill(FORMER);
      await expect(sync(ground.process(), 'contract')).rejects.toThrow('run `--phase expand` first');
      await sync(ground.process(), 'expand');
      const other = {
        previous: rules(AFTER),
        current: rules(BEFORE),
        phase: 'both',
        allowWidening: true,
      } as const;
      await expect(syncFeatures(other, ground.process())).rejects.toThrow('sallyport rules restore');
    });

    it('changes nothing when somebody would gain, until that is allowed', async () => {
      await ground.fill([...many('a', 0, 3), ...many('b', 2, 5)]);
      const request = {
        previous: rules({ x: 'a', y: 'b' }),
        current: rules({ x: 'c', y: 'c' }),
        phase: 'both',
      } as const;
      const before = await ground.shown();
      const refused = await syncFeatures({ ...request, allowWidening: false }, ground.process());
      expect(refused).toMatchObject({
        kind: 'widening',
        plan: { widening: [{ feature: 'feature:c', users: 4 }] },
      });
      expect(await ground.shown()).toEqual(before);
      expect((await tables.query('select 1 from sallyport_runs')).rows).toEqual([]);
      expect(await syncFeatures({ ...request, allowWidening: true }, ground.process())).toMatchObject({
        kind: 'done',
      });
      expect(await ground.shown()).toEqual(shown(many('c', 0, 5)));
    });

    it('lets one run at a time work', async () => {
      await ground.fill(FORMER);
      const other = crypto.randomUUID();
      await tables.query(
        `insert into sallyport_leases values ('feature sync', '${other}', now() + interval '1 hour')`,
      );
      await expect(sync()).rejects.toThrow(`another feature sync is running (run ${other})`);
      expect(await ground.shown()).toEqual(shown(FORMER));
    });
  });
});
