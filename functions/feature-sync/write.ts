import { TUPLES_PER_WRITE, type Tuple, type Tuples } from '../../shared/tuples.ts';

/** Writes under way at once: enough to hide the round trip, too few to crowd out the checks of requests. */
const PARALLEL = 4;

export interface Work {
  readonly kind: 'writes' | 'deletes';
  readonly tuples: readonly Tuple[];
  /** Tuples at the front that are done. */
  readonly from: number;
  /** After each round: how many are done. What comes after it is done again when the process dies. */
  readonly onDone: (done: number) => Promise<void>;
}

/** At most 100 tuples a write; each may be repeated. When one fails, nothing is under way any more. */
export async function writeAll(
  tuples: Pick<Tuples, 'write'>,
  { kind, tuples: all, from, onDone }: Work,
): Promise<void> {
  const round = TUPLES_PER_WRITE * PARALLEL;
  for (let at = from; at < all.length; at += round) {
    const batches = Array.from({ length: PARALLEL }, (_, index) => {
      const start = at + index * TUPLES_PER_WRITE;
      return all.slice(start, start + TUPLES_PER_WRITE);
    });
    const writes = batches.filter(({ length }) => length > 0).map((batch) => tuples.write({ [kind]: batch }));
    // A write that outlived its run could bring back what somebody took away since then.
    await Promise.allSettled(writes);
    await Promise.all(writes);
    await onDone(Math.min(at + round, all.length));
  }
}
