import { installed } from '../children.ts';
import { contest, contestTable, peak, throughputRatio, type Contender, type Turns } from '../contest.ts';
import type { Ground } from '../ground.ts';
import { atRate, type Latency } from '../load/at-rate.ts';
import type { Options } from '../options.ts';
import { verdict, type SectionResult, type Table, type Verdict } from '../result.ts';
import { startHaproxy } from '../servers/haproxy.ts';
import { median } from '../statistics.ts';
import { variables } from '../variables.ts';

const DIRECT = 'upstream, directly';
const HAPROXY = 'HAProxy, verifying JWTs';
const DISPATCH = 'bare proxy (pool.dispatch)';
const REQUEST = 'bare proxy (pool.request)';
const PRODUCT = 'Sallyport';

const VARIANTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  [PRODUCT]: {},
  'Sallyport, assertions off': { ASSERTION_KEYS: 'off' },
  'Sallyport, log silent': { LOG_LEVEL: 'silent' },
};

/** One Node process of the product beside HAProxy and two proxies that check nothing. */
export async function measureNode(ground: Ground, options: Options): Promise<SectionResult> {
  const notes = [`upstream: ${ground.upstream.kind}`];
  if (!ground.hasWrk) return { section: 'node', tables: [], verdicts: [], notes: ['left out: no wrk here'] };
  if (!installed('haproxy')) notes.push('left out: HAProxy, which is not installed');
  const contenders = await startAll(ground);
  const turns = await contest(contenders, { ...options, tokensFile: ground.tokensFile });
  const rate = peak(turns, DISPATCH) / 2;
  const latencies = await underHalfLoad(contenders, rate, ground, options);
  return {
    section: 'node',
    tables: [contestTable('Node, full load', turns, DISPATCH), latencyTable(latencies, rate)],
    verdicts: verdicts(turns, latencies),
    notes,
  };
}

async function startAll(ground: Ground): Promise<Contender[]> {
  const { upstream, bundles, issuer } = ground;
  const upstreamPort = Number(new URL(upstream.url).port);
  const contenders: Contender[] = [{ name: DIRECT, port: upstreamPort, pid: upstream.pid }];
  if (installed('haproxy')) {
    const child = await ground.start((port) => startHaproxy(port, upstreamPort, issuer, ground.folder));
    contenders.push({ name: HAPROXY, ...child });
  }
  for (const [name, kind] of [
    [DISPATCH, 'dispatch'],
    [REQUEST, 'request'],
  ] as const) {
    const child = await ground.start((port) =>
      ground.startNode(bundles.bareNode, [kind, String(port), upstream.url], { port }),
    );
    contenders.push({ name, ...child });
  }
  for (const [name, more] of Object.entries(VARIANTS)) {
    const child = await ground.start((port) =>
      ground.startNode(bundles.product, [], {
        port,
        env: variables(ground, { PORT: String(port), ...more }),
      }),
    );
    contenders.push({ name, ...child });
  }
  return contenders;
}

type Latencies = ReadonlyMap<string, readonly Latency[]>;

async function underHalfLoad(
  contenders: readonly Contender[],
  rate: number,
  { bundles, tokensFile }: Ground,
  { rounds, seconds }: Options,
): Promise<Latencies> {
  const compared = contenders.filter(({ name }) => name === DISPATCH || name === PRODUCT);
  const latencies = new Map<string, Latency[]>(compared.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, port } of compared) {
      const latency = await atRate({ port, rate, seconds, tokensFile, program: bundles.paced });
      latencies.get(name)?.push(latency);
    }
  }
  return latencies;
}

function p99(latencies: Latencies, name: string): number {
  return median((latencies.get(name) ?? []).map((latency) => latency.p99Ms));
}

function latencyTable(latencies: Latencies, rate: number): Table {
  const rows = [...latencies].map(([name, all]) => [
    name,
    median(all.map((latency) => latency.p50Ms)).toFixed(2),
    p99(latencies, name).toFixed(2),
  ]);
  const title = `Node, half of the bare proxy's peak (${Math.round(rate)} requests/s, constant)`;
  return { title, columns: ['server', 'p50 ms', 'p99 ms'], rows };
}

function verdicts(turns: Turns, latencies: Latencies): Verdict[] {
  const of = (unit: string) => throughputRatio(turns, PRODUCT, unit);
  const added = p99(latencies, PRODUCT) - p99(latencies, DISPATCH);
  return [
    ...(turns.has(HAPROXY) ? [verdict(`Node: throughput of ${HAPROXY}`, of(HAPROXY), { atLeast: 0.4 })] : []),
    verdict(`Node: throughput of the ${DISPATCH}`, of(DISPATCH), { atLeast: 0.85 }),
    verdict(`Node: throughput of the ${REQUEST}`, of(REQUEST), { atLeast: 0.85 }),
    verdict('Node: p99 added at half load', added, { atMost: 1 }, 'ms'),
  ];
}
