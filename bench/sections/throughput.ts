import type { Contender, ContenderId, Contenders } from '../contenders.ts';
import {
  contest,
  lineUp,
  ratiosTable,
  turnsTable,
  verdictsOf,
  withProcessorTime,
  type Comparison,
} from '../contest.ts';
import type { SectionResult } from '../figures.ts';
import type { Ground } from '../ground.ts';
import { fullLoad } from '../load/generators.ts';
import type { Options } from '../options.ts';

const WARM_UP_SECONDS = 3;
/** Before each turn: what ran out while others had theirs is fetched again, which is no part of steady load. */
const RUN_UP_SECONDS = 1;

const FIGURES = ['requestsPerSecond', 'p99Ms', 'cpuMs'] as const;
const THROUGHPUT = { by: 'requestsPerSecond' } as const;

/** What is compared in each part. Those with a goal are the targets. */
const COMPARISONS = {
  node: [
    { ours: 'product', of: 'haproxy1', ...THROUGHPUT, goal: { atLeast: 0.7 } },
    { ours: 'product', of: 'dispatch', ...THROUGHPUT, goal: { atLeast: 0.8 } },
    { ours: 'product', of: 'envoy1', ...THROUGHPUT },
    { ours: 'product', of: 'upstream', ...THROUGHPUT },
    { ours: 'product', of: 'besideProduct', ...THROUGHPUT },
  ],
  workers: [
    { ours: 'workers', of: 'haproxy2', ...THROUGHPUT, goal: { atLeast: 0.6 } },
    { ours: 'workersRedis', of: 'haproxy2', ...THROUGHPUT },
    { ours: 'workers', of: 'envoy2', ...THROUGHPUT },
    { ours: 'workers', of: 'product', ...THROUGHPUT },
  ],
  redis: [
    { ours: 'redis', of: 'product', ...THROUGHPUT, goal: { atLeast: 0.85 } },
    { ours: 'redis', of: 'besideRedis', ...THROUGHPUT },
  ],
  workerd: [
    { ours: 'worker', of: 'bareWorker', ...THROUGHPUT, goal: { atLeast: 0.8 } },
    { ours: 'worker', of: 'besideWorker', ...THROUGHPUT },
  ],
  rules: [{ ours: 'manyRules', of: 'fewRules', by: 'cpuMs', goal: { atMost: 1.1 } }],
} as const satisfies Readonly<Record<string, readonly Comparison[]>>;

export type ContestName = keyof typeof COMPARISONS;

export function isContest(part: string): part is ContestName {
  return part in COMPARISONS;
}

/** Full load on everything that the parts compare, in one contest. */
export async function measureThroughput(
  parts: readonly ContestName[],
  ground: Ground,
  contenders: Contenders,
  { rounds, seconds, quick, beside }: Options,
): Promise<SectionResult> {
  const section = 'throughput';
  if (!ground.hasWrk)
    return {
      section,
      tables: [],
      verdicts: [],
      notes: [`left out: ${parts.join(', ')}: wrk is not installed`],
    };
  const comparisons = parts
    .flatMap((part): readonly Comparison[] => COMPARISONS[part])
    .filter((it) => (it.of.startsWith('beside') ? beside !== undefined : !quick || it.goal !== undefined));
  const ids = new Set<ContenderId>(comparisons.flatMap(({ ours, of }) => [of, ours]));
  const line = await lineUp(contenders, ids);
  const load = ({ port, requestsFile }: Contender, length: number) =>
    fullLoad({ port, requestsFile, seconds: length });
  for (const contender of line.present.values()) await load(contender, WARM_UP_SECONDS);
  const turns = await contest(line, rounds, async (contender) => {
    await load(contender, RUN_UP_SECONDS);
    return withProcessorTime(
      contender,
      () => load(contender, seconds),
      ({ requests }) => requests,
    );
  });
  return {
    section,
    tables: [
      turnsTable('Full load, 64 connections', turns, FIGURES),
      ratiosTable('Full load, ratios within a round', turns, FIGURES, comparisons),
    ],
    verdicts: verdictsOf(turns, comparisons),
    notes: [`upstream: ${ground.upstream.kind}`, ...line.notes],
  };
}
