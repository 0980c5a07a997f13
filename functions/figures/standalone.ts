import { standalone, type StandaloneJob } from '../../shared/runs/job.ts';
import { rollupJob } from './function.ts';
import { FIGURES } from './slice.ts';

export const STANDALONE: Readonly<Record<keyof typeof FIGURES.schedule, StandaloneJob>> = {
  'figures-rollup': standalone(FIGURES.slice, (config, { database }) => ({
    job: rollupJob(config, database),
  })),
};
