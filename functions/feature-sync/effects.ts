import type { Tuple, Tuples } from '../../shared/ports/tuples.ts';
import type { Changes } from './changes.ts';

/** What a run writes and deletes: always computed from the snapshot, never from the current tuples. */
export interface Effects {
  /** Copies absent before. */
  readonly writes: readonly Tuple[];
  readonly deletes: readonly Tuple[];
  /** Tuples of each target after the run. */
  readonly after: Snapshot;
}

/** The plan cannot be executed as a whole; nothing was changed. */
export class FeatureSyncRefused extends Error {
  override readonly name = 'FeatureSyncRefused';
}

/** Throws FeatureSyncRefused when two features give one subject the same relation under different conditions. */
export function effectsOf(changes: Changes, snapshot: Snapshot): Effects {
  const copies = copiesOf(changes, snapshot);
  const own = (feature: string): readonly Tuple[] => snapshot.get(feature) ?? [];
  const writes: Tuple[] = [];
  const after = new Map<string, readonly Tuple[]>();
  for (const [feature, carried] of copies) {
    const kept = keysOf(own(feature));
    const fresh = [...carried.values()].filter((tuple) => !kept.has(keyOf(tuple)));
    writes.push(...fresh);
    after.set(
      feature,
      changes.replaced.includes(feature) ? [...carried.values()] : [...own(feature), ...fresh],
    );
  }
  const replaced = changes.replaced.flatMap((feature) => {
    const carried = copies.get(feature);
    return own(feature).filter((tuple) => carried?.has(keyOf(tuple)) !== true);
  });
  return { writes: inOrder(writes), deletes: inOrder([...changes.removed.flatMap(own), ...replaced]), after };
}

/** Carried tuples by target, rewritten to it. */
function copiesOf({ carries }: Changes, snapshot: Snapshot): Map<string, Map<string, Tuple>> {
  const copies = new Map<string, Map<string, Tuple>>();
  for (const { from, to } of carries) {
    const target = copies.get(to) ?? new Map<string, Tuple>();
    const own = new Map((snapshot.get(to) ?? []).map((tuple) => [keyOf(tuple), tuple]));
    for (const tuple of snapshot.get(from) ?? []) {
      const key = keyOf(tuple);
      for (const other of [target.get(key), own.get(key)]) refuseConflict(tuple, other, to);
      target.set(key, { ...tuple, object: to });
    }
    copies.set(to, target);
  }
  return copies;
}

/** OpenFGA stores one condition per subject, relation and object. */
function refuseConflict(tuple: Tuple, other: Tuple | undefined, to: string): void {
  if (other === undefined || conditionOf(tuple) === conditionOf(other)) return;
  throw new FeatureSyncRefused(
    `${tuple.object} and ${other.object} give ${tuple.user} the relation ${tuple.relation} under different conditions, but ${to} can hold one only`,
  );
}

/** A deterministic order, so that a resumed run continues where the last one stopped. */
function inOrder(tuples: readonly Tuple[]): Tuple[] {
  const keyed = tuples.map((tuple) => [`${tuple.object}\0${keyOf(tuple)}`, tuple] as const);
  return keyed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, tuple]) => tuple);
}

/** Tuples by feature. */
export type Snapshot = ReadonlyMap<string, readonly Tuple[]>;

/** Reads whole features, page by page. */
export async function readSnapshot(
  tuples: Pick<Tuples, 'read'>,
  features: readonly string[],
  onRead: (count: number) => void = () => undefined,
): Promise<Snapshot> {
  const snapshot = new Map<string, readonly Tuple[]>();
  let count = 0;
  for (const object of features) {
    const found: Tuple[] = [];
    for (let next: string | undefined, first = true; first || next !== undefined; first = false) {
      const page = await tuples.read({ object }, next);
      found.push(...page.tuples);
      count += page.tuples.length;
      onRead(count);
      next = page.next;
    }
    snapshot.set(object, found);
  }
  return snapshot;
}

/** OpenFGA's identity of a tuple within one object. */
export function keyOf({ user, relation }: Tuple): string {
  return `${relation}\0${user}`;
}

export function keysOf(tuples: readonly Tuple[]): Set<string> {
  return new Set(tuples.map(keyOf));
}

/** Equal for equal conditions, whatever the key order of the context: OpenFGA and Postgres each have their own. */
export function conditionOf({ condition }: Tuple): string {
  if (condition === undefined) return '';
  return JSON.stringify([condition.name, condition.context ?? {}], (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
      : value,
  );
}
