import type { Tuple, Tuples } from '../../shared/ports/tuples.ts';

/** The tuples of some features, by feature. */
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

/** What makes two tuples of one object the same to OpenFGA. */
export function keyOf({ user, relation }: Tuple): string {
  return `${relation}\0${user}`;
}

export function keysOf(tuples: readonly Tuple[]): Set<string> {
  return new Set(tuples.map(keyOf));
}

/** The same for the same condition, however the keys of its context are ordered: OpenFGA and Postgres each have an order of their own. */
export function conditionOf({ condition }: Tuple): string {
  if (condition === undefined) return '';
  return JSON.stringify([condition.name, condition.context ?? {}], (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
      : value,
  );
}
