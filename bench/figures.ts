export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One promise about speed or size, held against what was measured. */
export interface Verdict {
  readonly promise: string;
  readonly measured: number;
  /** The lowest and the highest round, where there were several. */
  readonly spread?: Spread;
  /** Seconds of processor time per 1,000 requests, of both sides of a ratio. */
  readonly cpu?: readonly [ours: number, theirs: number];
  readonly unit: '' | 'ms' | 's' | 'KiB' | 'KB' | '%';
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly met: boolean;
}

export type Spread = readonly [lowest: number, highest: number];

export interface SectionResult {
  readonly section: string;
  readonly tables: readonly Table[];
  readonly verdicts: readonly Verdict[];
  /** What was left out, and what to know when reading the figures. */
  readonly notes: readonly string[];
}

export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** Holds the median of the rounds, or the one figure there is, against the target. */
export function verdict(
  promise: string,
  rounds: number | readonly number[],
  goal: Goal,
  unit: Verdict['unit'] = '',
): Verdict {
  const measured = typeof rounds === 'number' ? rounds : median(rounds);
  const met = 'atLeast' in goal ? measured >= goal.atLeast : measured <= goal.atMost;
  const spread = typeof rounds === 'number' ? {} : { spread: spreadOf(rounds) };
  return { promise, measured, ...spread, unit, ...goal, met };
}

export function spreadOf(values: readonly number[]): Spread {
  return [Math.min(...values), Math.max(...values)];
}

/** Median and spread as two cells. */
export function cells(values: readonly number[], digits: number): [string, string] {
  const [lowest, highest] = spreadOf(values);
  return [median(values).toFixed(digits), `${lowest.toFixed(digits)}–${highest.toFixed(digits)}`];
}

/** Round by round, one figure in units of the other: a slow spell of the machine meets both. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.map((value, round) => value / (theirs[round] ?? Number.NaN));
}

/** The middle value; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
}

/** Least-squares slope of values taken at equal distances: change per step. */
export function slope(values: readonly number[]): number {
  const meanX = (values.length - 1) / 2;
  const meanY = values.reduce((sum, value) => sum + value, 0) / values.length;
  let above = 0;
  let below = 0;
  values.forEach((value, x) => {
    above += (x - meanX) * (value - meanY);
    below += (x - meanX) ** 2;
  });
  return above / below;
}
