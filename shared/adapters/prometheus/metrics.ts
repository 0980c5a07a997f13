import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Metrics, RequestMeasure } from '../../ports/metrics.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

interface Tally {
  readonly labels: { rule: string; target: string; status: number; code: string };
  count: number;
}

/** Prometheus names: a unit and `_total` where they belong. Labels are bounded: rules, targets, codes of a registry. */
export function prometheusMetrics(options: { readonly process: boolean }): Metrics {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  if (options.process) collectDefaultMetrics({ register: registry });
  const tallies = new Map<string, Tally>();
  // Requests are tallied in a plain map and handed over when asked for: prom-client hashes labels on every call.
  new Counter({
    name: 'sallyport_requests_total',
    help: 'Requests by rule, target, status and code (ok, or why it went no further).',
    labelNames: ['rule', 'target', 'status', 'code'],
    registers,
    collect() {
      this.reset();
      for (const { labels, count } of tallies.values()) this.inc(labels, count);
    },
  });
  const total = new Histogram({
    name: 'sallyport_request_duration_seconds',
    help: 'From the first byte of the request to the end of the answer.',
    buckets: SECONDS,
    registers,
  });
  const upstream = new Histogram({
    name: 'sallyport_upstream_duration_seconds',
    help: 'From forwarding to the first byte of the upstream.',
    buckets: SECONDS,
    registers,
  });
  return {
    request(measure) {
      const tally = tallyOf(tallies, measure);
      tally.count += 1;
      if (measure.own) return;
      total.observe(measure.totalMs / 1_000);
      if (measure.upstreamMs > 0) upstream.observe(measure.upstreamMs / 1_000);
    },
    gauge(name, help, label, values) {
      new Gauge({
        name,
        help,
        labelNames: [label],
        registers,
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
    async render() {
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}

function tallyOf(tallies: Map<string, Tally>, { rule, target, status, code }: RequestMeasure): Tally {
  const key = `${status} ${code} ${target} ${rule}`;
  let tally = tallies.get(key);
  if (tally === undefined) tallies.set(key, (tally = { labels: { rule, target, status, code }, count: 0 }));
  return tally;
}
