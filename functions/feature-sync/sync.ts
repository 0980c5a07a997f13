import type { AuthorizationModels } from '../../shared/ports/authorization-models.ts';
import type { Random } from '../../shared/ports/runtime.ts';
import {
  changesNothing,
  compareRules,
  fingerprintOf,
  touchedFeatures,
  type Changes,
  type FeatureRule,
} from './changes.ts';
import { effectsOf, FeatureSyncRefused } from './effects.ts';
import { contract, expand, loadEffects, verify, type ExecuteDeps, type Verification } from './execute.ts';
import { withLease, type Lease, type Patience } from '../../shared/runs/lease.ts';
import { rememberedArchive } from './archive.ts';
import type { Run } from './runs.ts';
import { readSnapshot, type Snapshot } from './effects.ts';
import { overlapsOf, wideningOf, type Overlap, type Widening } from './widening.ts';

export type Phase = 'both' | 'expand' | 'contract';

export interface SyncRequest {
  readonly previous: readonly FeatureRule[];
  readonly current: readonly FeatureRule[];
  readonly phase: Phase;
  readonly allowWidening: boolean;
}

export interface Plan {
  readonly changes: Changes;
  readonly writes: number;
  readonly deletes: number;
  readonly widening: readonly Widening[];
  readonly overlaps: readonly Overlap[];
}

export type SyncOutcome =
  | { readonly kind: 'nothing' }
  /** An earlier run did all of it. */
  | { readonly kind: 'already'; readonly runId: string }
  /** Subjects would gain access without `allowWidening`: nothing was changed. */
  | { readonly kind: 'widening'; readonly plan: Plan }
  | { readonly kind: 'expanded'; readonly runId: string; readonly plan: Plan | undefined }
  | {
      readonly kind: 'done';
      readonly runId: string;
      readonly plan: Plan | undefined;
      readonly verification: Verification;
    };

export interface PlanDeps extends Pick<ExecuteDeps, 'tuples' | 'onProgress'> {
  readonly models: Pick<AuthorizationModels, 'latest'>;
}

export interface SyncDeps extends PlanDeps, ExecuteDeps {
  readonly random: Pick<Random, 'uuid'>;
  readonly lease: Lease;
  readonly patience: Patience;
}

/** Reads the affected features and returns what would be done. */
export async function planSync(
  changes: Changes,
  deps: PlanDeps,
): Promise<{ plan: Plan; snapshot: Snapshot }> {
  const snapshot = await readSnapshot(deps.tuples, touchedFeatures(changes), (count) => {
    deps.onProgress('read', count);
  });
  const effects = effectsOf(changes, snapshot);
  const model = (await deps.models.latest())?.model;
  const plan = {
    changes,
    writes: effects.writes.length,
    deletes: effects.deletes.length,
    widening: wideningOf(changes, snapshot, effects, model),
    overlaps: overlapsOf(changes, snapshot, effects),
  };
  return { plan, snapshot };
}

/**
 * Carries over the tuples of renamed, split, merged and removed features; resumes an interrupted run.
 * Throws FeatureSyncRefused, LeaseHeld, LeaseLost, RelationsUnavailable, DatabaseUnavailable.
 */
export async function syncFeatures(request: SyncRequest, ports: SyncDeps): Promise<SyncOutcome> {
  const changes = compareRules(request.previous, request.current);
  if (changesNothing(changes)) return { kind: 'nothing' };
  const deps = { ...ports, archive: rememberedArchive(ports.archive) };
  const runId = deps.random.uuid();
  // The run that the lease names to others; under the lease it is looked up again.
  const { id } = (await deps.runs.unfinished()) ?? { id: runId };
  return withLease(deps.lease, id, deps.patience, async () => {
    const fingerprint = fingerprintOf(changes);
    const begun = await findBegun(fingerprint, deps);
    if (begun?.state === 'done') return foundDone(begun, deps);
    if (begun !== undefined) return goOn(begun, request.phase, undefined, deps);
    if (request.phase === 'contract')
      throw new FeatureSyncRefused(
        'nothing was expanded for these two rules files: run `--phase expand` first',
      );
    const { plan, snapshot } = await planSync(changes, deps);
    if (plan.widening.length > 0 && !request.allowWidening) return { kind: 'widening', plan };
    return goOn(
      await begin({ id: runId, fingerprint, plan: changes }, snapshot, deps),
      request.phase,
      plan,
      deps,
    );
  });
}

/** A run with misplaced tuples is verified again: it may be correct by now, and never counts as done unverified. */
async function foundDone(run: Run, deps: SyncDeps): Promise<SyncOutcome> {
  const runId = run.id;
  if (run.progress === 0) return { kind: 'already', runId };
  const verification = await verify(run, await loadEffects(run, deps), deps);
  return { kind: 'done', runId, plan: undefined, verification };
}

/** The unfinished run of these two files, or the latest one done. */
async function findBegun(fingerprint: string, { runs }: SyncDeps): Promise<Run | undefined> {
  const unfinished = await runs.unfinished();
  if (unfinished?.state === 'snapshot') {
    // Interrupted before any change, so its snapshot may be stale: start over.
    await runs.remove(unfinished.id);
  } else if (unfinished !== undefined) {
    const undoing = unfinished.state === 'restoring' || unfinished.state === 'removing';
    if (!undoing && unfinished.fingerprint === fingerprint) return unfinished;
    throw new FeatureSyncRefused(
      undoing
        ? `the restore of run ${unfinished.id} was cut off: run \`sallyport rules restore ${unfinished.id}\` again`
        : `run ${unfinished.id} between two other rules files is ${unfinished.state}: end it with those, or undo it by \`sallyport rules restore ${unfinished.id}\``,
    );
  }
  const latest = await runs.latest();
  return latest?.fingerprint === fingerprint ? latest : undefined;
}

async function begin(
  run: Pick<Run, 'id' | 'fingerprint' | 'plan'>,
  snapshot: Snapshot,
  deps: SyncDeps,
): Promise<Run> {
  await deps.runs.create({ ...run, state: 'snapshot' });
  const tuples = [...snapshot.values()].flat();
  await deps.archive.add(run.id, tuples, (count) => {
    deps.onProgress('keep', count, tuples.length);
  });
  await deps.runs.advance(run.id, 'expanding', 0);
  return { ...run, state: 'expanding', progress: 0 };
}

async function goOn(run: Run, phase: Phase, plan: Plan | undefined, deps: SyncDeps): Promise<SyncOutcome> {
  const runId = run.id;
  let { state, progress } = run;
  if (state === 'expanding') {
    if (phase === 'contract')
      throw new FeatureSyncRefused(`run ${runId} is not expanded yet: run \`--phase expand\` again`);
    await expand(run, deps);
    [state, progress] = ['expanded', 0];
  }
  if (phase === 'expand') return { kind: 'expanded', runId, plan };
  const verification = await contract({ ...run, state, progress }, deps);
  return { kind: 'done', runId, plan, verification };
}
