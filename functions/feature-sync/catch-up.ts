import type { Tuple, Tuples } from '../../shared/tuples.ts';
import type { Archive } from './archive.ts';
import { touchedFeatures, type Changes } from './changes.ts';
import { effectsOf } from './effects.ts';
import type { Run } from './runs.ts';
import { keyOf, keysOf, readSnapshot, type Snapshot } from './snapshot.ts';
import { writeAll } from './write.ts';

export interface CatchUpDeps {
  readonly tuples: Pick<Tuples, 'read' | 'write'>;
  readonly archive: Archive;
}

/**
 * Grants and removals on the old features since the snapshot, while the old rules still served, reach the new ones too.
 * A feature that is also a target is left out: nobody can tell under which meaning a tuple came to it.
 * OpenFGA comes first and the archive after: what the archive does not know yet is found again after a crash.
 */
export async function catchUp({ run_id: runId, changes }: Run, deps: CatchUpDeps): Promise<void> {
  const watched = watchedFeatures(changes);
  const then = await deps.archive.load(runId, touchedFeatures(changes));
  const now = await readSnapshot(deps.tuples, watched);
  const gone = differing(new Map(watched.map((feature) => [feature, then.get(feature) ?? []])), now);
  const late = differing(now, then);
  const kept = without(then, gone);
  if (gone.length > 0) {
    await apply('deletes', newCopies(changes, kept, then), deps);
    await deps.archive.forget(runId, gone);
  }
  if (late.length > 0) {
    await apply('writes', newCopies(changes, kept, and(kept, late)), deps);
    await deps.archive.add(runId, late);
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

/** Copies that `more` asks for and `less` does not: those that others have a hand in stay as they are. */
function newCopies(changes: Changes, less: Snapshot, more: Snapshot): Tuple[] {
  const there = new Set(effectsOf(changes, less).writes.map(idOf));
  return effectsOf(changes, more).writes.filter((tuple) => !there.has(idOf(tuple)));
}

function differing(these: Snapshot, those: Snapshot): Tuple[] {
  return [...these].flatMap(([feature, tuples]) => {
    const keys = keysOf(those.get(feature) ?? []);
    return tuples.filter((tuple) => !keys.has(keyOf(tuple)));
  });
}

function without(snapshot: Snapshot, tuples: readonly Tuple[]): Snapshot {
  const ids = new Set(tuples.map(idOf));
  return new Map(
    [...snapshot].map(([feature, all]) => [feature, all.filter((each) => !ids.has(idOf(each)))]),
  );
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
