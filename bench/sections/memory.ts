import { residentMiB } from '../children.ts';
import { variables, type Ground } from '../ground.ts';
import { fullLoad } from '../load/generators.ts';
import type { Options } from '../options.ts';
import { median, slope, verdict, type SectionResult, type Table } from '../figures.ts';

const SAMPLE_MS = 1_000;
const FULL_MINUTES = 5;
const WARM_UP_SECONDS = 10;
/** Of the resident memory, between the middle and the end of the run: less is the collector's to and fro. */
const FLAT_PERCENT = 5;
const ROWS = 10;

/** Resident memory of one Node process under full load, once its caches are full. */
export async function measureMemory(ground: Ground, { minutes }: Options): Promise<SectionResult> {
  if (!ground.hasWrk)
    return { section: 'memory', tables: [], verdicts: [], notes: ['left out: no wrk here'] };
  const { programs, requestsFile } = ground;
  const server = await ground.start((port) =>
    ground.startNode(programs.product, [], { port, env: variables(ground, { PORT: String(port) }) }),
  );
  const load = { port: server.port, requestsFile };
  await fullLoad({ ...load, seconds: WARM_UP_SECONDS });
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(residentMiB(server.pid)), SAMPLE_MS);
  await fullLoad({ ...load, seconds: Math.ceil(minutes * 60) });
  clearInterval(timer);
  await server.stop();
  const perMinute = slope(samples.slice(samples.length / 2)) * (60_000 / SAMPLE_MS);
  return {
    section: 'memory',
    tables: [table(samples)],
    verdicts: [
      verdict('memory: growth in the second half', growthPercent(samples), { atMost: FLAT_PERCENT }, '%'),
    ],
    notes: [
      `slope over the second half: ${perMinute.toFixed(2)} MiB/min`,
      ...(minutes < FULL_MINUTES ? [`a short run; the target is meant for --minutes ${FULL_MINUTES}`] : []),
    ],
  };
}

/** Of the last quarter beyond the one before it. */
export function growthPercent(samples: readonly number[]): number {
  const quarter = Math.max(1, Math.floor(samples.length / 4));
  const before = median(samples.slice(-2 * quarter, -quarter));
  return (median(samples.slice(-quarter)) / before - 1) * 100;
}

function table(samples: readonly number[]): Table {
  const step = Math.max(1, Math.floor(samples.length / ROWS));
  const rows = samples.flatMap((mib, second) =>
    second % step === 0 ? [[String(second + 1), mib.toFixed(1)]] : [],
  );
  return { title: 'Node, resident memory under full load', columns: ['second', 'MiB'], rows };
}
