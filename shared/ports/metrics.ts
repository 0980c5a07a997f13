import type { MaybePromise } from './runtime.ts';

/** The outcome of one request. */
export interface RequestMeasure {
  /** Answered by an own route, without access rules: probes and scrapes do not count into request durations. */
  readonly own: boolean;
  /** Path pattern of the rule, or of the own route; `` when none matched. */
  readonly rule: string;
  readonly target: string;
  readonly status: number;
  /** `ok`, or the code of the refusal. */
  readonly code: string;
  readonly totalMs: number;
  readonly upstreamMs: number;
}

export interface Metrics {
  request(measure: RequestMeasure): void;
  /**
   * Sampled on `render`, by the process that renders: for state that all processes share, as in a database. `values` maps a
   * label's value to a number, and must not reject.
   */
  gauge(
    name: string,
    help: string,
    label: string,
    values: () => MaybePromise<ReadonlyMap<string, number>>,
  ): void;
  /** Returns the increment: per label value, or unlabelled. */
  counter(name: string, help: string, label: string): (value: string) => void;
  counter(name: string, help: string): () => void;
  /** Prometheus text exposition format. */
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
}

/** Counters, histograms and process metrics of one process. */
export type MetricsSample = readonly SampledMetric[];

export interface SampledMetric {
  readonly name: string;
  /** How the values of several processes become one: `sum`, `average`, `first`, … */
  readonly aggregator: string;
}

/** Metrics of one process of several. */
export interface ProcessMetrics extends Metrics {
  /** Everything but gauges. */
  sample(): Promise<MetricsSample>;
  /** The sums of counters and histograms; process metrics are left out. */
  counted(samples: readonly MetricsSample[]): MetricsSample;
}
