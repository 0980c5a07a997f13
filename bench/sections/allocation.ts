import * as z from 'zod';
import { LeftOut, NAMES, type Contenders } from '../contenders.ts';
import { cells, median, verdict, type SectionResult } from '../figures.ts';
import { variables, type Ground, type Started } from '../ground.ts';
import { fullLoad, pacedLoad, type Load } from '../load/generators.ts';
import type { Options } from '../options.ts';

/** By number, not by time: on a busy machine code takes longer to be compiled. */
const WARM_UP_REQUESTS = 40_000;
const RATE = 2_000;
/** Two loads of different length: what opening connections allocates is in both, and not in the difference. */
const SECONDS = { short: 1, long: 3 };
const BYTES_PER_KB = 1_000;
/** Room for all of it, and no collection for another reason. */
const YOUNG_MIB = 1_024;
const FLAGS = [
  '--expose-gc',
  `--min-semi-space-size=${YOUNG_MIB}`,
  `--max-semi-space-size=${YOUNG_MIB}`,
  '--no-memory-reducer',
  '--no-incremental-marking',
];
/** A check that is asked again belongs to no single request, and comes in one window and not in the other. */
const REMEMBERED = { DECISION_TTL: '3600' };

const Heap = z.object({ heapBytes: z.number(), externalBytes: z.number(), collections: z.number() });

interface Allocated {
  readonly heapKb: number;
  readonly buffersKb: number;
}

/** Bytes that one request allocates, counted: the young generation is so large that nothing is collected meanwhile. */
export async function measureAllocation(
  ground: Ground,
  contenders: Contenders,
  { rounds }: Options,
): Promise<SectionResult> {
  const { paced } = ground.programs;
  if (paced === undefined || !ground.hasWrk)
    return empty('left out: allocation: it needs wrk and a C compiler (cc)');
  const { sides, notes } = await startSides(ground, contenders);
  for (const { port } of sides.values())
    await warmUp({ port, seconds: 1, requestsFile: ground.requestsFile });
  const figures = new Map<string, Allocated[]>([...sides.keys()].map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const [name, side] of sides) {
      const allocated = await perRequest(ground, side, paced);
      if (allocated === undefined)
        notes.push(`${name}: a round is left out, the heap was collected meanwhile`);
      else figures.get(name)?.push(allocated);
    }
  return { ...report(figures), notes };
}

async function warmUp(load: Load): Promise<void> {
  for (let served = 0; served < WARM_UP_REQUESTS;) served += (await fullLoad(load)).requests;
}

function empty(note: string): SectionResult {
  return { section: 'allocation', tables: [], verdicts: [], notes: [note] };
}

function report(figures: ReadonlyMap<string, readonly Allocated[]>): Omit<SectionResult, 'notes'> {
  const rows = [...figures].map(([name, all]) => [
    name,
    ...cells(
      all.map(({ heapKb }) => heapKb),
      1,
    ),
    median(all.map(({ buffersKb }) => buffersKb)).toFixed(1),
  ]);
  const ours = (figures.get(NAMES.product) ?? []).map(({ heapKb }) => heapKb);
  return {
    section: 'allocation',
    tables: [
      { title: 'Allocated per request', columns: ['server', 'heap KB', 'from–to', 'buffers KB'], rows },
    ],
    verdicts: [verdict('allocation per request, heap', ours, { atMost: 18 }, 'KB')],
  };
}

interface Sides {
  readonly sides: ReadonlyMap<string, Started>;
  readonly notes: string[];
}

async function startSides(ground: Ground, contenders: Contenders): Promise<Sides> {
  const { programs, upstream } = ground;
  const sides = new Map<string, Started>([
    [
      NAMES.dispatch,
      await startProbed(ground, programs.bareNode, (port) => ['dispatch', String(port), upstream.url]),
    ],
    [NAMES.product, await startProbed(ground, programs.product)],
  ]);
  const { beside } = programs;
  if (beside !== undefined) sides.set(NAMES.besideProduct, await startProbed(ground, beside));
  try {
    const redis = { REDIS_URL: await contenders.redisUrl() };
    sides.set(NAMES.redis, await startProbed(ground, programs.product, undefined, redis));
    if (beside !== undefined)
      sides.set(NAMES.besideRedis, await startProbed(ground, beside, undefined, redis));
  } catch (error) {
    if (!(error instanceof LeftOut)) throw error;
    return { sides, notes: [`left out: ${NAMES.redis}: ${error.message}`] };
  }
  return { sides, notes: [] };
}

function startProbed(
  ground: Ground,
  program: string,
  args: (port: number) => readonly string[] = () => [],
  more: Readonly<Record<string, string>> = {},
): Promise<Started> {
  return ground.start((port) =>
    ground.startNode(program, args(port), {
      port,
      env: variables(ground, { PORT: String(port), ...REMEMBERED, ...more }),
      flags: [...FLAGS, '--import', ground.programs.heapProbe],
      channel: true,
    }),
  );
}

/** Undefined when V8 collected in between, so that what the heap holds is not what was allocated. */
async function perRequest(ground: Ground, side: Started, program: string): Promise<Allocated | undefined> {
  const during = async (seconds: number) => {
    const before = Heap.parse(await side.ask('collect'));
    const { port } = side;
    await pacedLoad({ port, requestsFile: ground.requestsFile, program, rate: RATE, warmUp: 0, seconds });
    const after = Heap.parse(await side.ask('read'));
    return {
      heap: after.heapBytes - before.heapBytes,
      external: after.externalBytes - before.externalBytes,
      collections: after.collections,
    };
  };
  const short = await during(SECONDS.short);
  const long = await during(SECONDS.long);
  if (short.collections + long.collections > 0) return undefined;
  const requests = RATE * (SECONDS.long - SECONDS.short);
  return {
    heapKb: (long.heap - short.heap) / requests / BYTES_PER_KB,
    buffersKb: (long.external - short.external) / requests / BYTES_PER_KB,
  };
}
