import type { Database } from '../../shared/ports/database.ts';
import type { Processes, Random } from '../../shared/ports/runtime.ts';
import type { Tuples } from '../../shared/ports/tuples.ts';
import type { Patience } from '../../shared/runs/lease.ts';
import { openRuns } from '../../shared/runs/run.ts';
import { openArchive } from './archive.ts';
import { FEATURE_SYNC, openSyncLease } from './runs.ts';
import type { PlanDeps, SyncDeps } from './sync.ts';
import { fenced, patient } from './write.ts';

export interface FeatureSyncPorts extends Pick<PlanDeps, 'models' | 'onProgress'> {
  readonly tuples: Pick<Tuples, 'read' | 'write'>;
  readonly database: Database;
  readonly random: Pick<Random, 'uuid'>;
  readonly processes: Processes;
  readonly patience: Patience;
  /** Milliseconds; for tests. */
  readonly leaseMs?: number;
}

/** Wires feature sync, for the commands and for a replica with FEATURE_SYNC=start. */
export function openFeatureSync(ports: FeatureSyncPorts): SyncDeps {
  const { tuples, database, models, random, processes, patience, leaseMs, onProgress } = ports;
  const lease = openSyncLease(database, { processes, ...(leaseMs !== undefined && { ms: leaseMs }) });
  return {
    tuples: patient(fenced(tuples, lease), patience.sleep),
    models,
    random,
    lease,
    runs: openRuns(database, lease, FEATURE_SYNC),
    archive: openArchive(database, lease),
    patience,
    onProgress,
  };
}
