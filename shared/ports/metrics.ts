import type { MaybePromise } from './runtime.ts';

/** What one request through the gateway came to. */
export interface RequestMeasure {
  /** Answered by the bundle itself, without access rules: probes and scrapes are no part of how long requests take. */
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
  /** Sampled when the text is asked for: `values` maps a label's value to a number, and must not reject. */
  gauge(
    name: string,
    help: string,
    label: string,
    values: () => MaybePromise<ReadonlyMap<string, number>>,
  ): void;
  /** Answers what counts one more: under a label's value, or in all. */
  counter(name: string, help: string, label: string): (value: string) => void;
  counter(name: string, help: string): () => void;
  /** Prometheus text exposition format. */
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
}
