import * as z from 'zod';
import { broken, slice } from '../../shared/configuration/slice.ts';
import type { EdgeFunction } from '../../shared/edge/function.ts';

export interface StatusConfig {
  readonly metricsToken: string | null;
}

/** A shorter secret that is not random can be guessed. */
const SHORT_TOKEN = 16;

export const STATUS = {
  name: 'status',
  paths: ['/health', '/ready', '/metrics'],
  slice: slice({
    variables: { METRICS_TOKEN: z.string().optional() },
    read: (v): StatusConfig => ({ metricsToken: v.METRICS_TOKEN ?? null }),
    warnings: ({ metricsToken }) =>
      broken([
        metricsToken !== null && metricsToken.length < SHORT_TOKEN,
        'METRICS_TOKEN',
        `has fewer than ${SHORT_TOKEN} characters and may be guessed: write a longer, random one`,
      ]),
  }),
} as const satisfies EdgeFunction;
