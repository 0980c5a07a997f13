import { setTimeout } from 'node:timers/promises';
import { FeatureSyncRefused } from '../../functions/feature-sync/effects.ts';
import { openFeatureSync } from '../../functions/feature-sync/function.ts';
import type { RemovedUsers, RestoreDeps } from '../../functions/feature-sync/restore.ts';
import type { PlanDeps, SyncDeps } from '../../functions/feature-sync/sync.ts';
import { patient } from '../../functions/feature-sync/write.ts';
import { SUBJECTS } from '../../shared/configuration/issuers.ts';
import { Unavailable } from '../../shared/errors.ts';
import { identitiesOf } from '../../shared/identity/identities.ts';
import { ISSUER_NAMES, subjectOf, userOf, type IssuerName } from '../../shared/identity/subjects.ts';
import { DatabaseUnavailable, type Database } from '../../shared/ports/database.ts';
import { webRandom } from '../../shared/runtime.ts';
import { LeaseHeld, LeaseLost } from '../../shared/runs/lease.ts';
import { openDatabase, openStores, openTuples, processes } from '../deps.ts';
import { Failure, serviceFailure } from '../failure.ts';
import { storeSettings } from '../fga/connect.ts';
import { environment, interruption, progressBar } from '../terminal.ts';
import { configured, DATABASE_URL, missing } from '../variables.ts';

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

/** Users per query: bounds its parameter. */
const BATCH = 1_000;

/** From the tombstones in the mirror. `shared`: as in SHARED_SUBJECT_ISSUERS. */
export function removedUsers(database: Pick<Database, 'query'>, shared: readonly IssuerName[]): RemovedUsers {
  const issuers = ISSUER_NAMES.map((name) => ({ name, sharedSubjects: shared.includes(name) }));
  return async (users) => {
    const removed = new Set<string>();
    for (const issuer of issuers) {
      const subjects = users.flatMap((user) => subjectOf(issuer, user) ?? []);
      for (let at = 0; at < subjects.length; at += BATCH) {
        const identities = await identitiesOf(issuer.name, database).states(subjects.slice(at, at + BATCH));
        for (const { subject, state } of identities)
          if (state === 'removed') removed.add(userOf(issuer, subject));
      }
    }
    return removed;
  };
}

/** Maps an expected error to a Failure with its remedy; a defect is returned unchanged. */
export function syncFailure(error: unknown): unknown {
  const failure = serviceFailure(error);
  if (failure !== undefined) return error instanceof Unavailable ? away(failure, error) : failure;
  const expected = [FeatureSyncRefused, LeaseHeld, LeaseLost];
  if (error instanceof Error && expected.some((kind) => error instanceof kind))
    return new Failure(error.message, { cause: error });
  return error;
}

/** An interrupted run resumes where it stopped. */
function away({ message }: Failure, cause: Unavailable): Failure {
  const variable = cause instanceof DatabaseUnavailable ? 'DATABASE_URL' : 'OPENFGA_URL';
  const todo = `nothing is lost: look at ${variable} and what it leads to, then give the same command again`;
  return new Failure(`${message}\n${todo}`, { cause });
}
