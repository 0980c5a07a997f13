import * as z from 'zod';
import { cells, median, verdict, type SectionResult } from '../figures.ts';
import { variables, type Ground, type Started } from '../ground.ts';
import { fullLoad, pacedLoad } from '../load/generators.ts';
import type { Options } from '../options.ts';

const WARM_UP_SECONDS = 3;
const RATE = 2_000;
/** Two loads of different length: what opening connections allocates is in both, and not in the difference. */
const SECONDS = { short: 1, long: 3 };
const BYTES_PER_KB = 1_000;
const YOUNG_MIB = 1_024;

const Heap = z.object({ heapBytes: z.number(), externalBytes: z.number(), collections: z.number() });

interface Allocated {
  readonly heapKb: number;
  readonly externalKb: number;
}

/** Bytes that one request allocates, counted: the young generation is so large that nothing is collected meanwhile. */
export async function measureAllocation(ground: Ground, { rounds, beside }: Options): Promise<SectionResult> {
  const section = 'allocation';
  const { programs, upstream } = ground;
  const { paced } = programs;
  if (paced === undefined || !ground.hasWrk)
    return {
      section,
      tables: [],
      verdicts: [],
      notes: ['left out: allocation: it needs wrk and a C compiler (cc)'],
    };
  const bare = await startProbed(ground, programs.bareNode, (port) => [
    'dispatch',
    String(port),
    upstream.url,
  ]);
  const product = await startProbed(ground, programs.product);
  const sides = new Map<string, Started>([
    ['bare Node proxy (dispatch)', bare],
    ['Sallyport', product],
  ]);
  if (beside !== undefined && programs.beside !== undefined)
    sides.set('beside: Sallyport', await startProbed(ground, programs.beside));
  const figures = new Map<string, Allocated[]>([...sides.keys()].map((name) => [name, []]));
  for (const { port } of sides.values())
    await fullLoad({ port, seconds: WARM_UP_SECONDS, requestsFile: ground.requestsFile });
  for (let round = 0; round < rounds; round += 1)
    for (const [name, side] of sides) figures.get(name)?.push(await perRequest(ground, side, paced));
  const rows = [...figures].map(([name, all]) => [
    name,
    ...cells(
      all.map(({ heapKb }) => heapKb),
      1,
    ),
    median(all.map(({ externalKb }) => externalKb)).toFixed(1),
  ]);
  const ours = (figures.get('Sallyport') ?? []).map(({ heapKb }) => heapKb);
  return {
    section,
    tables: [
      { title: 'Allocated per request', columns: ['server', 'heap KB', 'from–to', 'buffers KB'], rows },
    ],
    verdicts: [verdict('allocation per request, heap', ours, { atMost: 18 }, 'KB')],
    notes: [],
  };
}

function startProbed(
  ground: Ground,
  program: string,
  args: (port: number) => readonly string[] = () => [],
): Promise<Started> {
  const young = [`--min-semi-space-size=${YOUNG_MIB}`, `--max-semi-space-size=${YOUNG_MIB}`];
  return ground.start((port) =>
    ground.startNode(program, args(port), {
      port,
      env: variables(ground, { PORT: String(port) }),
      flags: ['--expose-gc', ...young, '--import', ground.programs.heapProbe],
      channel: true,
    }),
  );
}

async function perRequest(ground: Ground, side: Started, program: string): Promise<Allocated> {
  const { requestsFile } = ground;
  const during = async (seconds: number) => {
    const before = Heap.parse(await side.ask('collect'));
    await pacedLoad({ port: side.port, requestsFile, program, rate: RATE, warmUp: 0, seconds });
    const after = Heap.parse(await side.ask('read'));
    if (after.collections > 0) throw new Error('the heap was collected while it was measured');
    return {
      heap: after.heapBytes - before.heapBytes,
      external: after.externalBytes - before.externalBytes,
    };
  };
  const short = await during(SECONDS.short);
  const long = await during(SECONDS.long);
  const requests = RATE * (SECONDS.long - SECONDS.short);
  return {
    heapKb: (long.heap - short.heap) / requests / BYTES_PER_KB,
    externalKb: (long.external - short.external) / requests / BYTES_PER_KB,
  };
}
