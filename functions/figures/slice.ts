import { slice } from '../../shared/configuration/slice.ts';
import { list } from '../../shared/configuration/values.ts';
import type { EdgeFunction } from '../../shared/edge/function.ts';

export interface FiguresConfig {
  /** Something shows them. */
  readonly figuresWanted: boolean;
}

/** Always on: where nothing shows figures, the changes that are noted for them have to be dropped. */
export const FIGURES = {
  name: 'figures',
  paths: [],
  schedule: { 'figures-rollup': '*/5 * * * *' },
  slice: slice({
    variables: { FUNCTIONS: list.default([]) },
    read: (v): FiguresConfig => ({ figuresWanted: v.FUNCTIONS.includes('analytics') }),
  }),
} as const satisfies EdgeFunction;
