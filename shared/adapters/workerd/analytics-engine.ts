import type { Metrics } from '../../ports/metrics.ts';

/** The used part of the Workers Analytics Engine binding. */
export interface AnalyticsEngineDataset {
  writeDataPoint(point: { indexes?: string[]; blobs?: string[]; doubles?: number[] }): void;
}

/**
 * One data point per request besides `inner`: isolates share nothing, so only a dataset that all of them write to has totals.
 * index = rule; blobs = rule, target, code, status; doubles = total ms, upstream ms. The runtime sends it.
 */
export function analyticsEngineMetrics(inner: Metrics, dataset: AnalyticsEngineDataset): Metrics {
  return {
    ...inner,
    request(measure) {
      inner.request(measure);
      const { rule, target, code, status, totalMs, upstreamMs } = measure;
      dataset.writeDataPoint({
        indexes: [rule.slice(0, 96)],
        blobs: [rule, target, code, String(status)],
        doubles: [totalMs, upstreamMs],
      });
    },
  };
}

export function isDataset(binding: unknown): binding is AnalyticsEngineDataset {
  return typeof binding === 'object' && binding !== null && 'writeDataPoint' in binding;
}
