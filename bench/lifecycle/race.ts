import { median } from '../figures.ts';

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
  const units = laps.get(unit) ?? [];
  return median((laps.get(name) ?? []).map((ms, round) => ms / (units[round] ?? Number.NaN)));
}

export async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
