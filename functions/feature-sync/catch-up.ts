import { TUPLES_PER_WRITE, type Tuple, type Tuples } from '../../shared/ports/tuples.ts';
import type { Archive } from './archive.ts';
import { touchedFeatures, type Changes } from './changes.ts';
import { effectsOf } from './effects.ts';
import type { Run } from './runs.ts';
import { conditionOf, keyOf, readSnapshot, type Snapshot } from './effects.ts';
import { writeAll } from './write.ts';

export interface CatchUpDeps {
  readonly tuples: Pick<Tuples, 'read' | 'write'>;
  readonly archive: Archive;
}

/**
 * Carries grants, removals and new conditions on the old features since the snapshot, while the old rules still served, to
 * the new ones. A feature that is also a target is left out: a tuple on it may have either meaning.
 * OpenFGA first, the archive after: what is not archived yet is found again after a crash.
 */
export async function catchUp({ id: runId, plan: changes }: Run, deps: CatchUpDeps): Promise<void> {
  const watched = watchedFeatures(changes);
  const then = await deps.archive.load(runId, touchedFeatures(changes));
  const now = await readSnapshot(deps.tuples, watched);
  const before = watched.flatMap((feature) => then.get(feature) ?? []);
  const gone = less(before, [...now.values()].flat());
  const left = without(then, gone);
  if (gone.length > 0) {
    await apply('deletes', newCopies(changes, left, then), deps);
    await deps.archive.forget(runId, gone);
  }
  const late = differing(now, then);
  if (late.length > 0) {
    await bring(late, left, changes, deps);
    await deps.archive.add(runId, late);
  }
}

/** Writes the copies of late grants, and of tuples whose condition has changed. */
async function bring(
  late: readonly Tuple[],
  left: Snapshot,
  changes: Changes,
  deps: CatchUpDeps,
): Promise<void> {
  const kept = without(left, late);
  const writes = newCopies(changes, kept, and(kept, late));
  const fresh = less(writes, newCopies(changes, kept, left));
  await replace(less(writes, fresh), deps);
  await apply('writes', fresh, deps);
}

/**
 * OpenFGA neither changes a condition nor deletes and writes one tuple in one call. The new rules may serve by now, so a
 * hundred copies at a time are deleted and written before the next: their subjects may be refused for that moment, as when
 * the old tuple was changed. Writing first is impossible, and leaving the copy would keep a withdrawn condition.
 */
async function replace(copies: readonly Tuple[], { tuples }: CatchUpDeps): Promise<void> {
  for (let at = 0; at < copies.length; at += TUPLES_PER_WRITE) {
    const batch = copies.slice(at, at + TUPLES_PER_WRITE);
    await tuples.write({ deletes: batch });
    await tuples.write({ writes: batch });
  }
}

function watchedFeatures({ carries, removed }: Changes): string[] {
  const targets = new Set(carries.map(({ to }) => to));
  const sources = new Set([...carries.map(({ from }) => from), ...removed]);
  return [...sources].filter((feature) => !targets.has(feature));
}

async function apply(kind: 'writes' | 'deletes', tuples: readonly Tuple[], deps: CatchUpDeps): Promise<void> {
  await writeAll(deps.tuples, { kind, tuples, from: 0, onDone: () => Promise.resolve() });
}

/** Copies that `more` requires and `few` does not: those with another source stay as they are. */
function newCopies(changes: Changes, few: Snapshot, more: Snapshot): Tuple[] {
  return less(effectsOf(changes, more).writes, effectsOf(changes, few).writes);
}

/** Tuples of `these` absent from `those`, or there under another condition. */
function differing(these: Snapshot, those: Snapshot): Tuple[] {
  const print = (tuple: Tuple): string => `${keyOf(tuple)}\0${conditionOf(tuple)}`;
  return [...these].flatMap(([feature, tuples]) => {
    const prints = new Set((those.get(feature) ?? []).map(print));
    return tuples.filter((tuple) => !prints.has(print(tuple)));
  });
}

/** `tuples` without `others`, whatever their conditions. */
function less(tuples: readonly Tuple[], others: readonly Tuple[]): Tuple[] {
  const ids = new Set(others.map(idOf));
  return tuples.filter((tuple) => !ids.has(idOf(tuple)));
}

function without(snapshot: Snapshot, tuples: readonly Tuple[]): Snapshot {
  return new Map([...snapshot].map(([feature, all]) => [feature, less(all, tuples)]));
}

function and(snapshot: Snapshot, tuples: readonly Tuple[]): Snapshot {
  return new Map(
    [...snapshot].map(([feature, all]) => [
      feature,
      [...all, ...tuples.filter(({ object }) => object === feature)],
    ]),
  );
}

function idOf(tuple: Tuple): string {
  return `${tuple.object}\0${keyOf(tuple)}`;
}
