import { residentMiB } from '../children.ts';
import type { Ground } from '../ground.ts';
import { wrk } from '../load/wrk.ts';
import type { Options } from '../options.ts';
import { verdict, type SectionResult, type Table } from '../result.ts';
import { median, slope } from '../statistics.ts';
import { TARGET_PATH, variables } from '../variables.ts';

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
  const { bundles, tokensFile } = ground;
  const server = await ground.start((port) =>
    ground.startNode(bundles.product, [], { port, env: variables(ground, { PORT: String(port) }) }),
  );
  const url = `http://127.0.0.1:${server.port}${TARGET_PATH}`;
  await wrk({ url, seconds: WARM_UP_SECONDS, tokensFile });
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(residentMiB(server.pid)), SAMPLE_MS);
  await wrk({ url, seconds: Math.ceil(minutes * 60), tokensFile });
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

function growthPercent(samples: readonly number[]): number {
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
