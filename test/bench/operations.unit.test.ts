import { expect, it } from 'vitest';
import { verdict } from '../../bench/figures.ts';
import { measureOperations } from '../../bench/sections/operations.ts';

const OPTIONS = { rounds: 1, users: 10 };

it('collects what each command of operations costs, and names one that could not be measured', async () => {
  const met = verdict('names: explain', 5, { atMost: 200 }, 'ms');
  const { section, verdicts, notes } = await measureOperations(OPTIONS, [
    ['explain', () => Promise.resolve(() => Promise.resolve({ tables: [], verdicts: [met] }))],
    ['import', () => Promise.resolve(() => Promise.resolve('no Postgres is installed'))],
  ]);
  expect({ section, verdicts, notes }).toEqual({
    section: 'operations',
    verdicts: [met],
    notes: ['import: left out: no Postgres is installed'],
  });
});
