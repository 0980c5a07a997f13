import { TUPLES_PER_WRITE, type Tuple, type TupleFilter, type Tuples } from '../../shared/ports/tuples.ts';

export interface MemoryTuples extends Tuples {
  /** Every tuple as `user relation object`. */
  all(): readonly string[];
}

const PAGE = 100;

/** A fake of OpenFGA's tuples, held to the same contract; without a model, so it takes any relation. */
export function memoryTuples(types: readonly string[]): MemoryTuples {
  const kept = new Map<string, Tuple>();
  return {
    all: () => [...kept.keys()],
    async objectTypes() {
      return types;
    },
    async read(filter, continuation) {
      const from = Number(continuation ?? 0);
      const found = [...kept.values()].filter((tuple) => matches(tuple, filter));
      const next = from + PAGE < found.length ? String(from + PAGE) : undefined;
      return { tuples: found.slice(from, from + PAGE), next };
    },
    async write({ writes = [], deletes = [] }) {
      if (writes.length + deletes.length > TUPLES_PER_WRITE) throw new Error('too many tuples in one write');
      for (const tuple of deletes) kept.delete(keyOf(tuple));
      for (const tuple of writes) kept.set(keyOf(tuple), tuple);
    },
  };
}

function keyOf({ user, relation, object }: Tuple): string {
  return `${user} ${relation} ${object}`;
}

function matches(tuple: Tuple, { user, relation, object }: TupleFilter): boolean {
  const ofObject =
    object === undefined ||
    (object.endsWith(':') ? tuple.object.startsWith(object) : tuple.object === object);
  return (
    ofObject &&
    [user ?? tuple.user, relation ?? tuple.relation].join() === [tuple.user, tuple.relation].join()
  );
}
