import { setTimeout } from 'node:timers/promises';
import { openFeatureSync } from '../../functions/feature-sync/function.ts';
import type { RestoreDeps } from '../../functions/feature-sync/restore.ts';
import type { PlanDeps, SyncDeps } from '../../functions/feature-sync/sync.ts';
import { patient } from '../../functions/feature-sync/write.ts';
import { webRandom } from '../../shared/random.ts';
import { openDatabase, openStores, openTuples, processes } from '../deps.ts';
import { SUBJECTS } from '../../shared/configuration/issuers.ts';
import { configured, DATABASE_URL, missing } from '../variables.ts';
import { storeSettings } from '../fga/connect.ts';
import { interruption } from '../terminal.ts';
import { progressBar } from '../terminal.ts';
import { environment } from '../terminal.ts';
import { removedUsers } from './removed-users.ts';
import { syncFailure } from './sync-failure.ts';

const LABELS = { read: 'reading', keep: 'archiving', write: 'copying', delete: 'deleting' } as const;

/** For what only reads. */
export async function withPlanDeps<T>(work: (deps: PlanDeps) => Promise<T>): Promise<T> {
  const settings = storeSettings();
  const signal = interruption();
  const bars = new Map(Object.entries(LABELS).map(([step, label]) => [step, progressBar(label)]));
  const tuples = patient(openTuples(settings), (ms) => setTimeout(ms, undefined, { signal }));
  try {
    return await work({
      tuples,
      models: openStores(settings).models(settings.storeId),
      onProgress(step, done, total) {
        signal.throwIfAborted();
        bars.get(step)?.update(done, total);
      },
    });
  } catch (error) {
    throw syncFailure(error);
  } finally {
    for (const bar of bars.values()) bar.end();
  }
}

/** For what writes: needs DATABASE_URL, which keeps the archive and the checkpoint. */
export async function withSyncDeps<T>(
  waitMs: number,
  work: (deps: SyncDeps & RestoreDeps) => Promise<T>,
): Promise<T> {
  if ((environment['DATABASE_URL'] ?? '') === '')
    throw missing('DATABASE_URL', 'the archive and the checkpoint are kept there');
  const { databaseUrl, sharedSubjectIssuers } = configured(DATABASE_URL.and(SUBJECTS));
  const database = openDatabase(databaseUrl);
  const signal = interruption();
  try {
    const tuples = openTuples(storeSettings());
    const sleep = (ms: number): Promise<void> => setTimeout(ms, undefined, { signal });
    const patience = { waitMs, sleep };
    return await withPlanDeps((deps) =>
      work({
        ...openFeatureSync({ ...deps, tuples, database, random: webRandom(), processes, patience }),
        removed: removedUsers(database, sharedSubjectIssuers),
      }),
    );
  } finally {
    await database.close();
  }
}
