import { AggregatorRegistry, Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { MetricsSample, ProcessMetrics, RequestMeasure, SampledMetric } from '../../ports/metrics.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

interface Tally {
  readonly labels: {
    readonly rule: string;
    readonly target: string;
    readonly status: number;
    readonly code: string;
  };
  count: number;
}

/**
 * A histogram without labels whose observation is an addition: prom-client's own makes three objects, and hashes absent
 * labels. Its output is the same.
 */
export class Durations extends Histogram {
  private readonly shape: Histogram;
  private readonly counts = [...SECONDS.map(() => 0), 0];
  private sum = 0;

  constructor(about: { readonly name: string; readonly help: string; readonly registers: Registry[] }) {
    super({ ...about, buckets: SECONDS });
    this.shape = new Histogram({ ...about, buckets: SECONDS, registers: [] });
  }

  took(ms: number): void {
    const seconds = ms / 1_000;
    let at = 0;
    while (seconds > (SECONDS[at] ?? Infinity)) at += 1;
    this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.sum += seconds;
  }

  override async get(): ReturnType<Histogram['get']> {
    const shown = await this.shape.get();
    let seen = 0;
    // Buckets are cumulative; the last has no bound, and so counts all.
    const numbers = this.counts.map((count) => (seen += count));
    numbers.push(this.sum, seen);
    return { ...shown, values: shown.values.map((each, at) => ({ ...each, value: numbers[at] ?? 0 })) };
  }

  /** prom-client calls this instead of get() where it exists, and here it is inherited. */
  getForPromString(): ReturnType<Histogram['get']> {
    return this.get();
  }
}

/** Requests by their labels. A rule has few outcomes, so they are searched linearly. */
class Tallies {
  private readonly byRule = new Map<string, Tally[]>();

  of({ rule, target, status, code }: RequestMeasure): Tally {
    let tallies = this.byRule.get(rule);
    if (tallies === undefined) this.byRule.set(rule, (tallies = []));
    for (const each of tallies) {
      const { labels } = each;
      if (labels.status === status && labels.code === code && labels.target === target) return each;
    }
    const fresh = { labels: { rule, target, status, code }, count: 0 };
    tallies.push(fresh);
    return fresh;
  }

  all(): Tally[] {
    return [...this.byRule.values()].flat();
  }
}

/** prom-client's own form. */
interface Sampled extends SampledMetric {
  readonly type: string;
  /** Values of a histogram have names of their own. */
  readonly values: readonly Value[];
}

interface Value {
  readonly value: number;
  readonly labels: object;
  readonly metricName?: string;
}

export interface PrometheusOptions {
  /** Whether to include process metrics: memory, event loop. */
  readonly process: boolean;
  /** Samples of the instance's other processes; `own`: that of this one. */
  readonly others?: ((own: MetricsSample) => Promise<readonly MetricsSample[]>) | undefined;
}

/** Prometheus names: a unit and `_total` where they belong. Labels are bounded: rules, targets, codes of a registry. */
export function prometheusMetrics(options: PrometheusOptions): ProcessMetrics {
  const registry = new Registry();
  const registers = [registry];
  const gauges = new Registry();
  if (options.process) collectDefaultMetrics({ register: registry });
  // Requests are tallied here and handed over on collection: prom-client hashes labels on every call.
  const tallies = new Tallies();
  new Counter({
    name: 'sallyport_requests_total',
    help: 'Requests by rule, target, status and code (ok, or why it went no further).',
    labelNames: ['rule', 'target', 'status', 'code'],
    registers,
    collect() {
      this.reset();
      for (const { labels, count } of tallies.all()) this.inc(labels, count);
    },
  });
  const total = new Durations({
    name: 'sallyport_request_duration_seconds',
    help: 'From the first byte of the request to the end of the answer.',
    registers,
  });
  const upstream = new Durations({
    name: 'sallyport_upstream_duration_seconds',
    help: 'From forwarding to the first byte of the upstream.',
    registers,
  });
  return {
    request(measure) {
      tallies.of(measure).count += 1;
      if (measure.own) return;
      total.took(measure.totalMs);
      if (measure.upstreamMs > 0) upstream.took(measure.upstreamMs);
    },
    gauge(name, help, label, values) {
      new Gauge({
        name,
        help,
        labelNames: [label],
        registers: [gauges],
        async collect() {
          const sampled = await values();
          // What is no longer there must not stay at its last value.
          this.reset();
          for (const [key, value] of sampled) this.set({ [label]: key }, value);
        },
      });
    },
    counter(name: string, help: string, label?: string) {
      const counter = new Counter({ name, help, labelNames: label === undefined ? [] : [label], registers });
      return (value?: string) => {
        counter.inc(label === undefined ? {} : { [label]: value ?? '' });
      };
    },
    sample: () => registry.getMetricsAsJSON(),
    counted,
    async render() {
      const summed = options.others === undefined ? registry : await sumOf(registry, options.others);
      const texts = await Promise.all([summed.metrics(), gauges.metrics()]);
      return { contentType: registry.contentType, body: texts.join('') };
    },
  };
}

async function sumOf(
  registry: Registry,
  others: NonNullable<PrometheusOptions['others']>,
): Promise<Registry> {
  const own = await registry.getMetricsAsJSON();
  return AggregatorRegistry.aggregate([own, ...(await others(own))]);
}

function counted(samples: readonly MetricsSample[]): MetricsSample {
  const sums = new Map<string, { readonly metric: Sampled; readonly values: Map<string, Value> }>();
  for (const metric of samples.flat() as Sampled[]) {
    if (metric.type !== 'counter' && metric.type !== 'histogram') continue;
    const sum = sums.get(metric.name) ?? { metric, values: new Map<string, Value>() };
    sums.set(metric.name, sum);
    for (const value of metric.values) {
      const key = `${value.metricName ?? ''} ${JSON.stringify(value.labels)}`;
      sum.values.set(key, { ...value, value: value.value + (sum.values.get(key)?.value ?? 0) });
    }
  }
  return [...sums.values()].map(({ metric, values }): Sampled => ({
    ...metric,
    values: [...values.values()],
  }));
}
