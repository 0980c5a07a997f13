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
  const paced: Paced[] = [];
  for (const bare of [DISPATCH, REQUEST]) {
    paced.push(await underHalfLoad(contenders, bare, peak(turns, bare) / 2, ground, options));
  }
  return {
    section: 'node',
    tables: [contestTable('Node, full load', turns, DISPATCH), ...paced.map(latencyTable)],
    verdicts: verdicts(turns, paced),
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

/** A bare proxy and the product beside it, both at one constant rate. */
interface Paced {
  readonly bare: string;
  readonly rate: number;
  readonly latencies: ReadonlyMap<string, readonly Latency[]>;
}

async function underHalfLoad(
  contenders: readonly Contender[],
  bare: string,
  rate: number,
  { bundles, tokensFile }: Ground,
  { rounds, seconds }: Options,
): Promise<Paced> {
  const compared = contenders.filter(({ name }) => name === bare || name === PRODUCT);
  const latencies = new Map<string, Latency[]>(compared.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, port } of compared) {
      const latency = await atRate({ port, rate, seconds, tokensFile, program: bundles.paced });
      latencies.get(name)?.push(latency);
    }
  }
  return { bare, rate, latencies };
}

function p99({ latencies }: Paced, name: string): number {
  return median((latencies.get(name) ?? []).map((latency) => latency.p99Ms));
}

function latencyTable(paced: Paced): Table {
  const rows = [...paced.latencies].map(([name, all]) => [
    name,
    median(all.map((latency) => latency.p50Ms)).toFixed(2),
    p99(paced, name).toFixed(2),
  ]);
  const title = `Node, half of the peak of the ${paced.bare} (${Math.round(paced.rate)} requests/s, constant)`;
  return { title, columns: ['server', 'p50 ms', 'p99 ms'], rows };
}

function verdicts(turns: Turns, paced: readonly Paced[]): Verdict[] {
  const of = (unit: string) => throughputRatio(turns, PRODUCT, unit);
  return [
    ...(turns.has(HAPROXY) ? [verdict(`Node: throughput of ${HAPROXY}`, of(HAPROXY), { atLeast: 0.4 })] : []),
    verdict(`Node: throughput of the ${DISPATCH}`, of(DISPATCH), { atLeast: 0.85 }),
    verdict(`Node: throughput of the ${REQUEST}`, of(REQUEST), { atLeast: 0.85 }),
    ...paced.map((at) => {
      const added = p99(at, PRODUCT) - p99(at, at.bare);
      return verdict(`Node: p99 added at half the peak of the ${at.bare}`, added, { atMost: 1 }, 'ms');
    }),
  ];
}
