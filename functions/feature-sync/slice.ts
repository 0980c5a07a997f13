import * as z from 'zod';
import { slice } from '../../shared/configuration/slice.ts';
import { textSource, type TextSource } from '../../shared/configuration/values.ts';
import type { EdgeFunction } from '../../shared/edge/function.ts';

export interface FeatureSyncConfig {
  /** `start`: a Node replica carries the change from the previous rules over to OpenFGA as it starts. */
  readonly featureSync: 'off' | 'start';
  readonly previousRules: TextSource | null;
}

export const FEATURE_SYNC = {
  name: 'feature-sync',
  paths: [],
  slice: slice({
    variables: {
      FEATURE_SYNC: z.enum(['off', 'start'], 'write off or start').default('off'),
      ACCESS_RULES_PREV: z.string().optional(),
    },
    examples: { ACCESS_RULES_PREV: 'config/access_rules_prev.json' },
    faults: ({ written }) =>
      ['DATABASE_URL', 'ACCESS_RULES_PREV'].flatMap((needed) =>
        written['FEATURE_SYNC'] === 'start' && written[needed] === undefined
          ? [{ variable: needed, problem: 'is missing: FEATURE_SYNC=start needs it' }]
          : [],
      ),
    read: (v): FeatureSyncConfig => ({
      featureSync: v.FEATURE_SYNC,
      previousRules: v.ACCESS_RULES_PREV === undefined ? null : textSource(v.ACCESS_RULES_PREV),
    }),
  }),
} as const satisfies EdgeFunction;
