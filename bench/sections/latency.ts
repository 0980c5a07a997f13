import type { ContenderId, Contenders } from '../contenders.ts';
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
import { pacedLoad } from '../load/generators.ts';
import type { Options } from '../options.ts';

const RATE = 1_000;
const WARM_UP_SECONDS = 1;
/** Above it the generator itself was held up so often that p99 says little about a server. */
const LATE_MS = 0.5;

const FIGURES = ['p50Ms', 'p99Ms', 'cpuMs'] as const;
const P99 = { by: 'p99Ms' } as const;

const COMPARISONS: readonly Comparison[] = [
  { ours: 'product', of: 'dispatch', ...P99, goal: { atMost: 1.5 } },
  { ours: 'redis', of: 'dispatch', ...P99 },
  { ours: 'product', of: 'haproxy1', ...P99 },
  { ours: 'product', of: 'envoy1', ...P99 },
  { ours: 'worker', of: 'bareWorker', ...P99 },
  { ours: 'product', of: 'besideProduct', ...P99 },
  { ours: 'redis', of: 'besideRedis', ...P99 },
];

/** Latency at a constant rate that every server takes with ease, from when each request was due. */
export async function measureLatency(
  ground: Ground,
  contenders: Contenders,
  { rounds, seconds, quick, beside }: Options,
): Promise<SectionResult> {
  const section = 'latency';
  const program = ground.programs.paced;
  if (program === undefined)
    return {
      section,
      tables: [],
      verdicts: [],
      notes: ['left out: latency: no C compiler (cc) is installed'],
    };
  const comparisons = COMPARISONS.filter((it) =>
    it.of.startsWith('beside') ? beside !== undefined : !quick || it.of === 'dispatch',
  );
  const line = await lineUp(
    contenders,
    new Set<ContenderId>(comparisons.flatMap(({ ours, of }) => [of, ours])),
  );
  const late: number[] = [];
  const requests = RATE * (WARM_UP_SECONDS + seconds);
  const turns = await contest(line, rounds, async (contender) => {
    const { port, requestsFile } = contender;
    const load = () =>
      pacedLoad({ port, requestsFile, program, rate: RATE, warmUp: WARM_UP_SECONDS, seconds });
    const taken = await withProcessorTime(contender, load, () => requests);
    late.push(taken.sentLateP99Ms);
    return { ...taken, requestsPerSecond: RATE };
  });
  const title = `Constant ${RATE} requests/s`;
  const worst = Math.max(...late);
  return {
    section,
    tables: [
      turnsTable(title, turns, FIGURES),
      ratiosTable(`${title}, ratios within a round`, turns, FIGURES, comparisons),
    ],
    verdicts: verdictsOf(turns, comparisons),
    notes: [
      ...line.notes,
      `the generator wrote 99 of 100 requests within ${worst.toFixed(2)} ms of when they were due` +
        (worst > LATE_MS ? ': the machine was busy, p99 is not to be trusted' : ''),
    ],
  };
}
