import fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { Durations, prometheusMetrics } from '../../shared/adapters/prometheus/metrics.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const about = { name: 'took_seconds', help: 'How long it took.' };

describe('durations', () => {
  it("are shown as prom-client's own histogram shows them, bounds and none at all included", async () => {
    const bounds = SECONDS.map((seconds) => seconds * 1_000);
    const took = fc.oneof(fc.double({ min: 0, max: 40_000, noNaN: true }), fc.constantFrom(0, ...bounds));
    await fc.assert(
      fc.asyncProperty(fc.array(took), async (all) => {
        const [ours, theirs] = [new Registry(), new Registry()];
        const durations = new Durations({ ...about, registers: [ours] });
        const histogram = new Histogram({ ...about, buckets: SECONDS, registers: [theirs] });
        for (const ms of all) {
          durations.took(ms);
          histogram.observe(ms / 1_000);
        }
        expect(await ours.metrics()).toBe(await theirs.metrics());
        expect(await ours.getMetricsAsJSON()).toEqual(await theirs.getMetricsAsJSON());
      }),
    );
  });
});

describe('requests', () => {
  it('are counted apart by each of their labels', async () => {
    const metrics = prometheusMetrics({ process: false });
    const measure = {
      own: false,
      rule: '/a',
      target: 'one',
      status: 200,
      code: 'ok',
      totalMs: 1,
      upstreamMs: 1,
    };
    const others = [{}, {}, { rule: '/b' }, { target: 'two' }, { status: 201 }, { code: 'client_gone' }];
    for (const other of others) metrics.request({ ...measure, ...other });
    const { body } = await metrics.render();
    const lines = body.split('\n').filter((line) => line.startsWith('sallyport_requests_total{'));
    expect(lines.sort()).toEqual([
      'sallyport_requests_total{rule="/a",target="one",status="200",code="client_gone"} 1',
      'sallyport_requests_total{rule="/a",target="one",status="200",code="ok"} 2',
      'sallyport_requests_total{rule="/a",target="one",status="201",code="ok"} 1',
      'sallyport_requests_total{rule="/a",target="two",status="200",code="ok"} 1',
      'sallyport_requests_total{rule="/b",target="one",status="200",code="ok"} 1',
    ]);
  });

  it('of the bundle itself are no part of how long requests take', async () => {
    const metrics = prometheusMetrics({ process: false });
    metrics.request({
      own: true,
      rule: '/health',
      target: '',
      status: 200,
      code: 'ok',
      totalMs: 1,
      upstreamMs: 0,
    });
    expect((await metrics.render()).body).toContain('sallyport_request_duration_seconds_count 0');
  });
});

describe('several processes', () => {
  const measure = {
    own: false,
    rule: '/a',
    target: 'one',
    status: 200,
    code: 'ok',
    totalMs: 20,
    upstreamMs: 4,
  };
  const lines = async (metrics: ReturnType<typeof prometheusMetrics>, name: string) =>
    (await metrics.render()).body.split('\n').filter((line) => line.startsWith(name));

  it('show the sum of what they counted, and what they share as one of them reads it', async () => {
    const other = prometheusMetrics({ process: true });
    other.gauge('shared_depth', 'In a database.', 'status', () => new Map([['pending', 7]]));
    other.counter('only_there_total', 'Of a function that ran there.')();
    const metrics = prometheusMetrics({
      process: true,
      others: async (own) => [await other.sample(), own.filter(({ aggregator }) => aggregator === 'none')],
    });
    metrics.gauge('shared_depth', 'In a database.', 'status', () => new Map([['pending', 7]]));
    for (const each of [metrics, other, other]) each.request(measure);
    other.request({ ...measure, code: 'no_rule', status: 403 });
    expect(await lines(metrics, 'sallyport_requests_total{')).toEqual([
      'sallyport_requests_total{rule="/a",target="one",status="200",code="ok"} 3',
      'sallyport_requests_total{rule="/a",target="one",status="403",code="no_rule"} 1',
    ]);
    expect(await lines(metrics, 'sallyport_request_duration_seconds_bucket{le="0.025"}')).toEqual([
      'sallyport_request_duration_seconds_bucket{le="0.025"} 4',
    ]);
    expect(await lines(metrics, 'sallyport_request_duration_seconds_count')).toEqual([
      'sallyport_request_duration_seconds_count 4',
    ]);
    expect(await lines(metrics, 'shared_depth{')).toEqual(['shared_depth{status="pending"} 7']);
    expect(await lines(metrics, 'only_there_total')).toEqual(['only_there_total 1']);
  });

  it('that have ended are added up: counters and histograms, none of what they held', async () => {
    const [first, second] = [prometheusMetrics({ process: true }), prometheusMetrics({ process: true })];
    for (const each of [first, first, second]) each.request(measure);
    const ended = first.counted([await first.sample(), await second.sample()]);
    const metrics = prometheusMetrics({ process: false, others: async () => [ended] });
    metrics.request(measure);
    expect(await lines(metrics, 'sallyport_requests_total{')).toEqual([
      'sallyport_requests_total{rule="/a",target="one",status="200",code="ok"} 4',
    ]);
    expect(await lines(metrics, 'sallyport_request_duration_seconds_sum')).toEqual([
      'sallyport_request_duration_seconds_sum 0.08',
    ]);
    expect(await lines(metrics, 'process_cpu_seconds_total')).toHaveLength(1);
    expect(await lines(metrics, 'process_resident_memory_bytes')).toEqual([]);
  });
});
