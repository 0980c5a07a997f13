import type { Tuple, Tuples } from '../../shared/ports/tuples.ts';
import type { Archive } from './archive.ts';
import { catchUp } from './catch-up.ts';
import { touchedFeatures } from './changes.ts';
import { effectsOf, type Effects } from './effects.ts';
import type { Run, Runs, RunState } from './runs.ts';
import { keyOf, keysOf, readSnapshot } from './effects.ts';
import { writeAll } from './write.ts';

export interface ExecuteDeps {
  readonly tuples: Pick<Tuples, 'read' | 'write'>;
  readonly runs: Runs;
  readonly archive: Archive;
  readonly onProgress: (step: 'read' | 'keep' | 'write' | 'delete', done: number, total?: number) => void;
}

/** Read back from OpenFGA after the last write. */
export interface Verification {
  /** Tuples that the targets must hold. */
  readonly expected: number;
  /** Of these, deleted by another writer meanwhile, or lost. */
  readonly missing: number;
  /** Tuples that should be gone. */
  readonly left: number;
  /** The first of each, for the operator. */
  readonly examples: { readonly missing: readonly Tuple[]; readonly left: readonly Tuple[] };
}

const EXAMPLES = 10;

/** From `expanding` to `expanded`: writes the copies; no subject loses access. */
export async function expand(run: Run, deps: ExecuteDeps): Promise<void> {
  const { writes } = await loadEffects(run, deps);
  await workOff(run, 'expanding', { kind: 'writes', tuples: writes }, deps);
  await deps.runs.advance(run.id, 'expanded', 0);
}

/** From `expanded` or `contracting` to `done`: deletes what the new rules no longer require. */
export async function contract(run: Run, deps: ExecuteDeps): Promise<Verification> {
  if (run.state === 'expanded') {
    await catchUp(run, deps);
    await deps.runs.advance(run.id, 'contracting', 0);
  }
  const effects = await loadEffects(run, deps);
  const progress = run.state === 'contracting' ? run.progress : 0;
  await workOff({ ...run, progress }, 'contracting', { kind: 'deletes', tuples: effects.deletes }, deps);
  return verify(run, effects, deps);
}

/** The first `run.progress` tuples are done already. */
export async function workOff(
  run: Run,
  state: RunState,
  { kind, tuples }: { readonly kind: 'writes' | 'deletes'; readonly tuples: readonly Tuple[] },
  deps: ExecuteDeps,
): Promise<void> {
  const step = kind === 'writes' ? 'write' : 'delete';
  deps.onProgress(step, run.progress, tuples.length);
  await writeAll(deps.tuples, {
    kind,
    tuples,
    from: run.progress,
    onDone: async (done) => {
      await deps.runs.advance(run.id, state, done);
      deps.onProgress(step, done, tuples.length);
    },
  });
}

export async function loadEffects(run: Run, deps: Pick<ExecuteDeps, 'archive'>): Promise<Effects> {
  return effectsOf(run.plan, await deps.archive.load(run.id, touchedFeatures(run.plan)));
}

/** Reads back, and stores the number of misplaced tuples with the run: while it is not 0, the next sync verifies again. */
export async function verify(run: Run, effects: Effects, deps: ExecuteDeps): Promise<Verification> {
  const found = await readSnapshot(deps.tuples, touchedFeatures(run.plan), (count) => {
    deps.onProgress('read', count);
  });
  const keys = new Map([...found].map(([feature, there]) => [feature, keysOf(there)]));
  const isThere = (tuple: Tuple): boolean => keys.get(tuple.object)?.has(keyOf(tuple)) === true;
  const wanted = [...effects.after.values()].flat();
  const missing = wanted.filter((tuple) => !isThere(tuple));
  const left = effects.deletes.filter(isThere);
  const counts = { expected: wanted.length, missing: missing.length, left: left.length };
  await deps.runs.advance(run.id, 'done', counts.missing + counts.left, counts);
  return {
    ...counts,
    examples: { missing: missing.slice(0, EXAMPLES), left: left.slice(0, EXAMPLES) },
  };
}
