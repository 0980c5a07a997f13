export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One promise about speed or size, held against what was measured. */
export interface Verdict {
  readonly promise: string;
  readonly measured: number;
  readonly unit: '' | 'ms' | 'KiB' | '%';
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly met: boolean;
}

export interface SectionResult {
  readonly section: string;
  readonly tables: readonly Table[];
  readonly verdicts: readonly Verdict[];
  /** What was left out, and what to know when reading the figures. */
  readonly notes: readonly string[];
}

type Goal = { readonly atLeast: number } | { readonly atMost: number };

export function verdict(promise: string, measured: number, goal: Goal, unit: Verdict['unit'] = ''): Verdict {
  const met = 'atLeast' in goal ? measured >= goal.atLeast : measured <= goal.atMost;
  return { promise, measured, unit, ...goal, met };
}
