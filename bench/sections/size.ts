import { join } from 'node:path';
import type { Child } from '../children.ts';
import { median, verdict, type SectionResult, type Table } from '../figures.ts';
import { variables, type Ground } from '../ground.ts';
import type { Options } from '../options.ts';
import { startWorkerd } from '../servers/workerd.ts';
import { BUNDLE_BUDGET_KIB, buildWorker, weightKiB, type WorkerBundle } from '../worker-bundle.ts';
import { coldCheckTable } from './cold-check.ts';

/** How large the Worker is, how long both runtimes take to answer first, and what the OpenFGA SDK adds to it all. */
export async function measureSize(ground: Ground, { rounds, quick }: Options): Promise<SectionResult> {
  const bundle = await buildWorker(join(ground.folder, 'size'));
  return {
    section: 'size',
    tables: [
      bundleTable(bundle),
      ...(quick ? [] : [await startTable(ground, bundle, rounds), await coldCheckTable(ground, bundle)]),
    ],
    verdicts: [verdict('Worker bundle, compressed', bundle.gzipKiB, { atMost: BUNDLE_BUDGET_KIB }, 'KiB')],
    notes: [],
  };
}

function bundleTable({ rawKiB, gzipKiB, metafile }: WorkerBundle): Table {
  const rows = [
    ['Worker bundle', rawKiB.toFixed(0)],
    ['Worker bundle, gzip', gzipKiB.toFixed(0)],
    [
      'of it only for @openfga/sdk, before gzip',
      weightKiB(metafile, 'node_modules/@openfga/sdk/').toFixed(0),
    ],
  ];
  return { title: 'Worker bundle', columns: ['part', 'KiB'], rows };
}

async function startTable(ground: Ground, { script }: WorkerBundle, rounds: number): Promise<Table> {
  const launch: Readonly<Record<string, (port: number) => Promise<Child>>> = {
    Node: (port) =>
      ground.startNode(ground.programs.product, [], {
        port,
        env: variables(ground, { PORT: String(port) }),
      }),
    workerd: (port) => startWorkerd(port, { script, variables: variables(ground) }),
  };
  const rows: string[][] = [];
  for (const [runtime, start] of Object.entries(launch)) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) times.push(await firstAnswerMs(ground, start));
    rows.push([runtime, median(times).toFixed(0)]);
  }
  return { title: 'From the start of the process to its first answer', columns: ['runtime', 'ms'], rows };
}

async function firstAnswerMs(ground: Ground, start: (port: number) => Promise<Child>): Promise<number> {
  const child = await ground.start(start);
  const connected = performance.now();
  const answer = await fetch(`http://127.0.0.1:${child.port}/health`);
  const answered = performance.now() - connected;
  await child.stop();
  if (!answer.ok) throw new Error(`/health answered ${answer.status}`);
  return child.startedMs + answered;
}
