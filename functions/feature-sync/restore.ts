import type { Tuple } from '../../shared/ports/tuples.ts';
import { touchedFeatures } from './changes.ts';
import { FeatureSyncRefused, type Effects } from './effects.ts';
import { loadEffects, workOff, type ExecuteDeps } from './execute.ts';
import { withLease, type Lease, type Patience } from '../../shared/runs/lease.ts';
import type { Run, RunState } from './runs.ts';
import { keyOf, readSnapshot } from './effects.ts';
import { writeAll } from './write.ts';

export interface RestoreDeps extends ExecuteDeps {
  readonly lease: Lease;
  readonly patience: Patience;
  readonly removed: RemovedUsers;
}

export interface Restored {
  readonly runId: string;
  /** Tuples restored. */
  readonly written: number;
  /** Tuples not restored: their users were removed meanwhile. */
  readonly leftOut: number;
  /** Copies deleted. */
  readonly deleted: number;
  /** True when an earlier restore did all of it. */
  readonly already: boolean;
}

const NOTHING_DELETED: readonly RunState[] = ['snapshot', 'expanding', 'expanded'];

/**
 * Undoes one run: writes what it deleted, then deletes what it wrote. A tuple whose copy was deleted since then, or whose
 * user was removed, is not restored. Throws FeatureSyncRefused, LeaseHeld, LeaseLost, RelationsUnavailable, DatabaseUnavailable.
 */
export async function restoreRun(runId: string, deps: RestoreDeps): Promise<Restored> {
  return withLease(deps.lease, runId, deps.patience, async () => {
    const run = await findRun(runId, deps);
    return run === undefined ? doneBefore(runId) : undo(run, deps);
  });
}

/** What `restoreRun` would do now. Read-only, so it takes no lease. Throws the same. */
export async function previewRestore(runId: string, deps: RestoreDeps): Promise<Restored> {
  const run = await findRun(runId, deps);
  return run === undefined ? doneBefore(runId) : countsOf(run, await planUndo(run, deps));
}

/** Undefined when already undone. */
async function findRun(runId: string, deps: RestoreDeps): Promise<Run | undefined> {
  const run = await deps.runs.find(runId);
  if (run === undefined) throw new FeatureSyncRefused(`there is no run ${runId}`);
  if (run.state === 'restored') return undefined;
  await refuseBuiltUpon(run, deps);
  return run;
}

interface Undoing {
  /** What the run deleted and is still granted: of present users, and of removed ones. */
  readonly present: readonly Tuple[];
  readonly gone: readonly Tuple[];
  /** What the run wrote. */
  readonly copies: readonly Tuple[];
}

async function planUndo(run: Run, deps: RestoreDeps): Promise<Undoing> {
  const effects = await loadEffects(run, deps);
  const parts = await partByRemoval(await stillGranted(run, effects, deps), deps.removed);
  return { ...parts, copies: run.state === 'snapshot' ? [] : effects.writes };
}

function doneBefore(runId: string): Restored {
  return { runId, written: 0, leftOut: 0, deleted: 0, already: true };
}

function countsOf({ id: runId }: Run, { present, gone, copies }: Undoing): Restored {
  return { runId, written: present.length, leftOut: gone.length, deleted: copies.length, already: false };
}

async function undo(run: Run, deps: RestoreDeps): Promise<Restored> {
  const runId = run.id;
  const plan = await planUndo(run, deps);
  const { present, gone, copies } = plan;
  if (run.state !== 'removing') {
    if (run.state !== 'restoring') await deps.runs.advance(runId, 'restoring', 0);
    await workOff({ ...run, progress: 0 }, 'restoring', { kind: 'writes', tuples: present }, deps);
    await takeBackRemoved([...present, ...gone], deps);
    await deps.runs.advance(runId, 'removing', 0);
  }
  const progress = run.state === 'removing' ? run.progress : 0;
  await workOff({ ...run, progress }, 'removing', { kind: 'deletes', tuples: copies }, deps);
  const restored = countsOf(run, plan);
  const { written, leftOut, deleted } = restored;
  await deps.runs.advance(runId, 'restored', 0, { written, left_out: leftOut, deleted });
  return restored;
}

/**
 * A removal may have swept between the query and the write. Its mark precedes its sweep: a user not marked by now is swept
 * together with these tuples. Applies to all, since a killed run may have written what this one left out.
 */
async function takeBackRemoved(deleted: readonly Tuple[], { tuples, removed }: RestoreDeps): Promise<void> {
  const { gone } = await partByRemoval(deleted, removed);
  await writeAll(tuples, { kind: 'deletes', tuples: gone, from: 0, onDone: () => Promise.resolve() });
}

/** The deleted tuples to restore: all of a dropped feature, of a moved one those that still hold under a new name. */
async function stillGranted(run: Run, effects: Effects, { tuples }: ExecuteDeps): Promise<readonly Tuple[]> {
  const { carries } = run.plan;
  if (NOTHING_DELETED.includes(run.state)) return [];
  // In this state copies are being deleted; everything was restored before.
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

/** Undoing a run that a later one builds upon would break the later one. */
async function refuseBuiltUpon(run: Run, { runs }: ExecuteDeps): Promise<void> {
  const features = new Set(touchedFeatures(run.plan));
  const later = await runs.after(run.id);
  const found = later.find(({ plan }) => touchedFeatures(plan).some((feature) => features.has(feature)));
  if (found === undefined) return;
  throw new FeatureSyncRefused(`run ${found.id} came later and changed the same features: restore it first`);
}

/** Returns those of the OpenFGA users that their identity provider has removed. Throws as `Database`. */
export type RemovedUsers = (users: readonly string[]) => Promise<ReadonlySet<string>>;

/** Splits tuples by whether their users are present or removed. */
async function partByRemoval(
  tuples: readonly Tuple[],
  removed: RemovedUsers,
): Promise<{ readonly present: readonly Tuple[]; readonly gone: readonly Tuple[] }> {
  const users = await removed([...new Set(tuples.map(({ user }) => user))]);
  return {
    present: tuples.filter(({ user }) => !users.has(user)),
    gone: tuples.filter(({ user }) => users.has(user)),
  };
}
