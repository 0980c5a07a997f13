import { empty, sql, type Database } from '../../shared/ports/database.ts';
import { openLease, type Lease, type LeaseOptions } from '../../shared/runs/lease.ts';
import type { Run as AnyRun, RunKind, Runs as AnyRuns } from '../../shared/runs/run.ts';
import { changesSchema, type Changes } from './changes.ts';

const STATES = [
  'snapshot',
  'expanding',
  'expanded',
  'contracting',
  'done',
  'restoring',
  'removing',
  'restored',
] as const;
export type RunState = (typeof STATES)[number];

/** `progress` counts tuples of the state's work; of a run that is `done`, the misplaced ones. */
export type Run = AnyRun<Changes, RunState>;
export type Runs = AnyRuns<Changes, RunState>;

export const FEATURE_SYNC: RunKind<Changes, RunState> = {
  name: 'feature sync',
  plan: changesSchema,
  states: STATES,
  ended: ['done', 'restored'],
  undone: 'restored',
};

/** Bounds the wait for a run that died on another machine. */
const LEASE_MS = 10_000;

/** Holder in the former table for every run of this release. */
const US = '00000000-0000-0000-0000-000000000000';

/**
 * The previous release keeps its lease in `sallyport_feature_lease`. A run of this release takes both, so that commands and
 * replicas of the two releases exclude each other; between runs of this release the shared lease decides.
 */
export function openSyncLease(database: Database, options: Omit<LeaseOptions, 'name'>): Lease {
  const lease = openLease(database, { name: FEATURE_SYNC.name, ms: LEASE_MS, ...options });
  return {
    ...lease,
    async take(claim) {
      if (!(await lease.take(claim))) return false;
      let had = false;
      try {
        had = await takeFormer(database);
        return had;
      } finally {
        // Also when it threw. A lease that cannot be released expires.
        if (!had) await lease.release().catch(() => false);
      }
    },
    // All runs of this release share one holder there: only the holder of the shared lease may release it.
    release: ({ also = empty, ...ending } = {}) =>
      lease.release({
        ...ending,
        also: sql`, former as (
          delete from sallyport_feature_lease where holder = ${US} and exists (select from released)
        ) ${also}`,
      }),
  };
}

async function takeFormer(database: Pick<Database, 'execute'>): Promise<boolean> {
  const had = await database.execute(sql`
    insert into sallyport_feature_lease as former values (1, ${US}, now() + interval '1 day')
    on conflict (id) do update set holder = excluded.holder, expires_at = excluded.expires_at
    where former.expires_at <= now() or former.holder = excluded.holder`);
  return had > 0;
}
