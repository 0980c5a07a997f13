import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { times } from '../support/scale.ts';
import { openFeatureSync } from '../../functions/feature-sync/function.ts';
import { openArchive } from '../../functions/feature-sync/archive.ts';
import { FEATURE_SYNC, openSyncLease } from '../../functions/feature-sync/runs.ts';
import { syncFeatures, type SyncDeps } from '../../functions/feature-sync/sync.ts';
import type { Database } from '../../shared/ports/database.ts';
import { LeaseLost } from '../../shared/runs/lease.ts';
import { openRuns } from '../../shared/runs/run.ts';
import { CHANGES } from '../runs/former.ts';
import { booksOf, emptyBooks } from './books.ts';
import { AFTER, BEFORE, formerTuples } from './change.ts';
import { UNKNOWN_PROCESSES, type Ground } from './ground.ts';
import { rules } from './rules.ts';
import { setStage } from './stage.ts';
import { SCALED_PAIRS, type TestDatabase } from './stores.ts';

const HOUR = 3_600_000;

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
            await tables.query('update sallyport_leases set expires_at = now()');
            lost = await openSyncLease(database, { ms: HOUR }).take({ runId: randomUUID() });
          } else if (lost) after.push(name);
          return call();
        };
        const slow: Database = {
          ...database,
          query: (statement, row) => step('database', () => database.query(statement, row)),
          execute: (statement) => step('database', () => database.execute(statement)),
        };
        const { models, random, patience, onProgress } = ground.process();
        const deps: SyncDeps = openFeatureSync({
          tuples: {
            read: (filter, next) => step('read', () => ground.tuples.read(filter, next)),
            write: (changes) => step('write', () => ground.tuples.write(changes)),
          },
          database: slow,
          processes: UNKNOWN_PROCESSES,
          leaseMs: HOUR,
          ...{ models, random, patience, onProgress },
        });
        return { deps, after, calls: () => calls, isLost: () => lost };
      }

      it('a change of the archive that was under way when another run took over is none', async () => {
        await emptyBooks(tables);
        const runId = randomUUID();
        const [archived, late] = [formerTuples().slice(0, 1), formerTuples().slice(0, 2)];
        const lease = openSyncLease(database, { ms: HOUR });
        await lease.take({ runId });
        await openRuns(database, lease, FEATURE_SYNC).create({
          id: runId,
          fingerprint: 'ours',
          plan: CHANGES,
          state: 'snapshot',
        });
        await openArchive(database, lease).add(runId, archived);
        const before = await booksOf(tables);
        // Its lease expires, and the next run takes it, just before the statement that changes the archive arrives.
        const slow: Database = {
          ...database,
          async execute(statement) {
            if (JSON.stringify(statement).includes('sallyport_feature_archive')) {
              await tables.query('update sallyport_leases set expires_at = now()');
              await openSyncLease(database, { ms: HOUR }).take({ runId: randomUUID() });
            }
            return database.execute(statement);
          },
        };
        for (const change of ['add', 'forget'] as const) {
          const paused = openSyncLease(slow, { ms: HOUR });
          await tables.query('update sallyport_leases set expires_at = now()');
          await paused.take({ runId });
          await expect(openArchive(slow, paused)[change](runId, late)).rejects.toBeInstanceOf(LeaseLost);
          expect(await booksOf(tables)).toEqual(before);
        }
      });

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
        // The first asks what is unfinished, the second takes the lease.
        for (let at = 3; at < whole.calls(); at += times(3, 9)) {
          await emptyBooks(tables);
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
    });
  },
);
