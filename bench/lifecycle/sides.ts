import { TUPLES_PER_WRITE, type Tuple, type TupleFilter, type Tuples } from '../../shared/ports/tuples.ts';
import { median, ratios } from '../figures.ts';

/** One turn on data of its own; resolves to its milliseconds without the preparation. */
export type Side = () => Promise<number>;

/** Milliseconds of every turn of every side, in the order of the rounds. */
export type Laps<Name extends string> = ReadonlyMap<Name, readonly number[]>;

/** The sides take turns, so that a slow spell of the machine meets all of them; every second round in reverse order. */
export async function race<Name extends string>(
  sides: readonly (readonly [Name, Side])[],
  rounds: number,
): Promise<Laps<Name>> {
  const laps = new Map<Name, number[]>(sides.map(([name]) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? sides : sides.toReversed();
    for (const [name, side] of order) laps.get(name)?.push(await side());
  }
  return laps;
}

/** Median over the rounds of one side's time in units of the other's, in the same round. */
export function timeRatio<Name extends string>(laps: Laps<Name>, name: Name, unit: Name): number {
  return median(ratios(laps.get(name) ?? [], laps.get(unit) ?? []));
}

export async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

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
