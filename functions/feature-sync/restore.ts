import type { Tuple } from '../../shared/tuples.ts';
import { touchedFeatures } from './changes.ts';
import { FeatureSyncRefused, type Effects } from './effects.ts';
import { loadEffects, workOff, type ExecuteDeps } from './execute.ts';
import { withLease, type Patience } from './lease.ts';
import type { Run, RunState } from './runs.ts';
import { keyOf, readSnapshot } from './snapshot.ts';

export interface Restored {
  readonly runId: string;
  /** Tuples brought back. */
  readonly written: number;
  /** Copies taken away. */
  readonly deleted: number;
  /** True when an earlier restore did all of it. */
  readonly already: boolean;
}

const NOTHING_DELETED: readonly RunState[] = ['snapshot', 'expanding', 'expanded'];

/**
 * Undoes one run: what it deleted comes back, then what it wrote goes. A tuple whose copy somebody took away since then
 * stays away. Throws FeatureSyncRefused, LeaseLost, RelationsUnavailable, DatabaseUnavailable.
 */
export async function restoreRun(
  runId: string,
  deps: ExecuteDeps & { readonly patience: Patience },
): Promise<Restored> {
  return withLease(deps.runs, deps.patience, async () => {
    const run = await deps.runs.find(runId);
    if (run === undefined) throw new FeatureSyncRefused(`there is no run ${runId}`);
    if (run.state === 'restored') return { runId, written: 0, deleted: 0, already: true };
    await refuseBuiltUpon(run, deps);
    return undo(run, deps);
  });
}

async function undo(run: Run, deps: ExecuteDeps): Promise<Restored> {
  const runId = run.run_id;
  const effects = await loadEffects(run, deps);
  const deleted = await stillGranted(run, effects, deps);
  if (run.state !== 'removing') {
    if (run.state !== 'restoring') await deps.runs.advance(runId, 'restoring', 0);
    await workOff({ ...run, progress: 0 }, 'restoring', { kind: 'writes', tuples: deleted }, deps);
    await deps.runs.advance(runId, 'removing', 0);
  }
  const progress = run.state === 'removing' ? run.progress : 0;
  const written = run.state === 'snapshot' ? [] : effects.writes;
  await workOff({ ...run, progress }, 'removing', { kind: 'deletes', tuples: written }, deps);
  await deps.runs.advance(runId, 'restored', 0);
  return { runId, written: deleted.length, deleted: written.length, already: false };
}

/** What was deleted and is to come back: all of a dropped feature, and of a moved one what still holds under a new name. */
async function stillGranted(run: Run, effects: Effects, { tuples }: ExecuteDeps): Promise<readonly Tuple[]> {
  const { carries } = run.changes;
  if (NOTHING_DELETED.includes(run.state)) return [];
  // By now copies are being taken away, and everything has come back before.
  if (run.state === 'removing') return effects.deletes;
  const targets = new Map<string, string[]>();
  for (const { from, to } of carries) targets.set(from, [...(targets.get(from) ?? []), to]);
  const now = await readSnapshot(tuples, [...new Set(carries.map(({ to }) => to))]);
  const held = new Set(
    [...now].flatMap(([feature, found]) => found.map((tuple) => `${feature}\0${keyOf(tuple)}`)),
  );
  return effects.deletes.filter((tuple) => {
    const names = targets.get(tuple.object);
    return names === undefined || names.some((name) => held.has(`${name}\0${keyOf(tuple)}`));
  });
}

/** Undoing what a later run has carried on would tear that apart. */
async function refuseBuiltUpon(run: Run, { runs }: ExecuteDeps): Promise<void> {
  const features = new Set(touchedFeatures(run.changes));
  const later = await runs.after(run.run_id);
  const found = later.find(({ changes }) =>
    touchedFeatures(changes).some((feature) => features.has(feature)),
  );
  if (found === undefined) return;
  throw new FeatureSyncRefused(
    `run ${found.run_id} came later and changed the same features: restore it first`,
  );
}
