import { randomUUID } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { times } from '../support/scale.ts';
import { openArchive } from '../../functions/feature-sync/archive.ts';
import { fenced, withLease } from '../../functions/feature-sync/lease.ts';
import { LeaseLost, openRuns } from '../../functions/feature-sync/runs.ts';
import { syncFeatures, type SyncDeps } from '../../functions/feature-sync/sync.ts';
import type { Database } from '../../shared/ports/database.ts';
import { AFTER, BEFORE, formerTuples } from './change.ts';
import type { Ground } from './ground.ts';
import { rules } from './rules.ts';
import { setStage } from './stage.ts';
import { SCALED_PAIRS, type TestDatabase } from './stores.ts';

const WATCHDOG = { timeout: 600_000, interval: 20 };
const patience = { waitMs: 0, sleep: () => Promise.resolve() };

describe.each(SCALED_PAIRS)(
  'the lease of a feature sync on $fga.name and $postgres.name',
  ({ fga, postgres }) => {
    describe.skipIf(fga.missing || postgres.missing)('', () => {
      let tables: TestDatabase;
      let ground: Ground;
      let database: Database;
      setStage({ fga, postgres }, (stage) => {
        ({ tables, ground, database } = stage);
      });

      /** A process whose calls are noted, and that is paused before its nth call until another run has begun. */
      function paused(at: number) {
        let calls = 0;
        let lost = false;
        const after: string[] = [];
        const step = async <T>(name: string, call: () => Promise<T>): Promise<T> => {
          calls += 1;
          if (calls === at) {
            // Its lease ran out meanwhile, and the other took it.
            await tables.query('update sallyport_feature_lease set expires_at = now()');
            lost = await openRuns(database, randomUUID(), 3_600_000).acquire();
          } else if (lost) after.push(name);
          return call();
        };
        const slow: Database = {
          ...database,
          query: (statement, row) => step('database', () => database.query(statement, row)),
          execute: (statement) => step('database', () => database.execute(statement)),
        };
        const runs = openRuns(slow, randomUUID(), 3_600_000);
        const deps: SyncDeps = {
          ...ground.process(),
          runs,
          archive: openArchive(slow, runs),
          patience,
          tuples: fenced(
            {
              read: (filter, next) => step('read', () => ground.tuples.read(filter, next)),
              write: (changes) => step('write', () => ground.tuples.write(changes)),
            },
            runs,
          ),
        };
        return { deps, after, calls: () => calls, isLost: () => lost };
      }

      const sync = (deps: SyncDeps) =>
        syncFeatures(
          { previous: rules(BEFORE), current: rules(AFTER), phase: 'both', allowWidening: true },
          deps,
        );

      it('a run that was paused, wherever, begins no write once another has begun, and says why it ends', async () => {
        await ground.fill(formerTuples());
        const whole = paused(Infinity);
        await sync(whole.deps);
        let interrupted = 0;
        for (let at = 2; at < whole.calls(); at += times(3, 9)) {
          await tables.query('delete from sallyport_feature_runs');
          await tables.query('delete from sallyport_feature_lease');
          for (
            let page = await ground.tuples.read({});
            page.tuples.length > 0;
            page = await ground.tuples.read({})
          )
            await ground.tuples.write({ deletes: page.tuples });
          await ground.fill(formerTuples());
          const run = paused(at);
          const outcome = await sync(run.deps).then(
            () => 'done',
            (error: unknown) => error,
          );
          if (!run.isLost()) continue;
          // The write before which it was paused is the one that no fence can reach.
          const writes = run.after.filter((name) => name === 'write');
          if (outcome !== 'done') expect(outcome).toBeInstanceOf(LeaseLost);
          expect(writes).toEqual([]);
          interrupted += 1;
        }
        expect(interrupted).toBeGreaterThan(3);
      });

      it('is held by its heartbeat through work that is longer than it, against others who want it', async () => {
        const runs = openRuns(database, randomUUID(), 1_500);
        const until = async (): Promise<number> => {
          const { rows } = await tables.query(
            'select (extract(epoch from expires_at) * 1000)::bigint::text as until from sallyport_feature_lease',
          );
          return Number((rows[0] as { until: string }).until);
        };
        await withLease(runs, patience, async () => {
          const first = await until();
          await vi.waitUntil(async () => (await until()) > first + 3_000, WATCHDOG);
          expect(await openRuns(database, randomUUID(), 1_500).acquire()).toBe(false);
        });
        expect(await openRuns(database, randomUUID(), 1_500).acquire()).toBe(true);
      });

      it('is had by one of many who want it at once', async () => {
        const contenders = Array.from({ length: 8 }, () => openRuns(database, randomUUID(), 60_000));
        const had = await Promise.all(contenders.map((runs) => runs.acquire()));
        expect(had.filter(Boolean)).toHaveLength(1);
      });
    });
  },
);
