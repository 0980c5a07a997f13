import { TUPLES_PER_WRITE, type Tuple, type TupleFilter, type Tuples } from '../../shared/ports/tuples.ts';

/** As many writes at once as feature sync has under way. */
export const PARALLEL = 4;

/** Every tuple of the filter, page by page. */
export async function readAll(tuples: Pick<Tuples, 'read'>, filter: TupleFilter): Promise<Tuple[]> {
  const found: Tuple[] = [];
  let next: string | undefined;
  do {
    const page = await tuples.read(filter, next);
    found.push(...page.tuples);
    next = page.next;
  } while (next !== undefined);
  return found;
}

/** By hundreds, PARALLEL of them under way at any time: no batch waits for its neighbours. */
export async function eachBatch(
  all: readonly Tuple[],
  work: (batch: readonly Tuple[]) => Promise<void>,
): Promise<void> {
  let at = 0;
  const worker = async (): Promise<void> => {
    while (at < all.length) {
      const from = at;
      at += TUPLES_PER_WRITE;
      await work(all.slice(from, from + TUPLES_PER_WRITE));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

export function fill(tuples: Pick<Tuples, 'write'>, all: readonly Tuple[]): Promise<void> {
  return eachBatch(all, (writes) => tuples.write({ writes }));
}
