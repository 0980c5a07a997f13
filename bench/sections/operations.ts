import type { SectionResult } from '../figures.ts';

export interface OperationsOptions {
  readonly rounds: number;
  /** Of the Zitadel that is read; it has ten events of each. */
  readonly users: number;
}

/** What one command costs. The words say what is missing where it cannot be measured. */
export type Measured = Pick<SectionResult, 'tables' | 'verdicts'> & { readonly notes?: readonly string[] };
export type Row = (options: OperationsOptions) => Promise<Measured | string>;

/** One line per command: its name, and its measurement in a file of `bench/operations/`, loaded when its turn comes. */
const ROWS: readonly (readonly [name: string, load: () => Promise<Row>])[] = [
  ['verify and explain', async () => (await import('../operations/names.ts')).measureNames],
  ['import', async () => (await import('../operations/import.ts')).measureImport],
  ['setup', async () => (await import('../operations/setup.ts')).measureSetup],
];

/** What commands of operations cost beside the programs and calls that they cannot do without, each on servers of its own. */
export async function measureOperations(
  options: OperationsOptions,
  rows: typeof ROWS = ROWS,
): Promise<SectionResult> {
  const measured: Measured[] = [];
  for (const [name, load] of rows) {
    console.error(`measuring: ${name}`);
    const row = await (await load())(options);
    measured.push(
      typeof row === 'string' ? { tables: [], verdicts: [], notes: [`${name}: left out: ${row}`] } : row,
    );
  }
  return {
    section: 'operations',
    tables: measured.flatMap(({ tables }) => tables),
    verdicts: measured.flatMap(({ verdicts }) => verdicts),
    notes: measured.flatMap(({ notes = [] }) => notes),
  };
}
