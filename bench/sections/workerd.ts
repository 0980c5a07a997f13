import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { path } from '../bundles.ts';
import { contest, contestTable, throughputRatio, type Contender } from '../contest.ts';
import type { Ground } from '../ground.ts';
import type { Options } from '../options.ts';
import { verdict, type SectionResult } from '../result.ts';
import { startWorkerd } from '../servers/workerd.ts';
import { variables } from '../variables.ts';
import { buildWorker } from '../worker-bundle.ts';

const BARE = 'bare Worker';
const PRODUCT = 'Sallyport';

/** The product's Worker beside one that only forwards, in the same workerd. */
export async function measureWorkerd(ground: Ground, options: Options): Promise<SectionResult> {
  if (!ground.hasWrk)
    return { section: 'workerd', tables: [], verdicts: [], notes: ['left out: no wrk here'] };
  const contenders = await startAll(ground);
  const turns = await contest(contenders, { ...options, tokensFile: ground.tokensFile });
  return {
    section: 'workerd',
    tables: [contestTable('workerd, full load', turns, BARE)],
    verdicts: [
      verdict(`workerd: throughput of the ${BARE}`, throughputRatio(turns, PRODUCT, BARE), { atLeast: 0.9 }),
    ],
    notes: [],
  };
}

async function startAll(ground: Ground): Promise<Contender[]> {
  const { script } = await buildWorker(join(ground.folder, 'worker'));
  const bare = join(ground.folder, 'bare-worker.js');
  await copyFile(path('bench/servers/bare-worker.js'), bare);
  const forms = [
    { name: BARE, script: bare, variables: { UPSTREAM_URL: ground.upstreamUrl } },
    { name: PRODUCT, script, variables: variables(ground) },
    { name: 'Sallyport, assertions off', script, variables: variables(ground, { ASSERTION_KEYS: 'off' }) },
    { name: 'Sallyport, log silent', script, variables: variables(ground, { LOG_LEVEL: 'silent' }) },
  ];
  const contenders: Contender[] = [];
  for (const { name, ...worker } of forms) {
    const child = await ground.start((port) => startWorkerd(port, worker));
    contenders.push({ name, ...child });
  }
  return contenders;
}
