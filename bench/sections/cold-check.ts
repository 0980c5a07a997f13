import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { median, type Table } from '../figures.ts';
import { TARGET_PATH, variables, type Ground } from '../ground.ts';
import { path } from '../programs.ts';
import { FEATURE } from '../providers.ts';
import { startWorkerd } from '../servers/workerd.ts';
import type { WorkerBundle } from '../worker-bundle.ts';

const WARM_UP = 100;
const REQUESTS = 400;

interface Pair {
  readonly name: string;
  /** Ports of a server that asks OpenFGA each time, and of the same server when it need not. */
  readonly asking: number;
  readonly remembering: number;
}

/** What one relation check adds to a request, seen from outside: one request at a time, with and without it. */
export async function coldCheckTable(ground: Ground, bundle: WorkerBundle): Promise<Table> {
  const pairs = [await nodeSdk(ground), await workerdSdk(ground, bundle), await workerdFetch(ground)];
  const rows = [['Node, plain fetch', (await plainFetchMs(ground)).toFixed(2)]];
  for (const { name, asking, remembering } of pairs)
    rows.push([name, (await addedMs(ground, asking, remembering)).toFixed(2)]);
  return {
    title: 'A relation check that is not remembered (OpenFGA stand-in on loopback)',
    columns: ['by', 'ms added, p50'],
    rows,
  };
}

async function nodeSdk(ground: Ground): Promise<Pair> {
  const start = (ttl: string) =>
    ground.start((port) =>
      ground.startNode(ground.programs.product, [], {
        port,
        env: variables(ground, { PORT: String(port), DECISION_TTL: ttl }),
      }),
    );
  return {
    name: 'Node, @openfga/sdk',
    asking: (await start('0')).port,
    remembering: (await start('3600')).port,
  };
}

async function workerdSdk(ground: Ground, { script }: WorkerBundle): Promise<Pair> {
  const start = (ttl: string) =>
    ground.start((port) =>
      startWorkerd(port, { script, variables: variables(ground, { DECISION_TTL: ttl }) }),
    );
  return {
    name: 'workerd, @openfga/sdk',
    asking: (await start('0')).port,
    remembering: (await start('3600')).port,
  };
}

async function workerdFetch(ground: Ground): Promise<Pair> {
  const script = join(ground.folder, 'checking-worker.js');
  await copyFile(path('bench/servers/bare-worker.js'), script);
  const { url, body } = check(ground);
  const start = (more: Readonly<Record<string, string>>) =>
    ground.start((port) =>
      startWorkerd(port, { script, variables: { UPSTREAM_URL: ground.upstream.url, ...more } }),
    );
  const asking = await start({ CHECK_URL: url, CHECK_BODY: body });
  return { name: 'workerd, plain fetch', asking: asking.port, remembering: (await start({})).port };
}

async function addedMs(ground: Ground, asking: number, remembering: number): Promise<number> {
  const [token = ''] = ground.tokens;
  const ask = (port: number) => async () => {
    const answer = await request(`http://127.0.0.1:${port}${TARGET_PATH}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await answer.body.dump();
    if (answer.statusCode !== 200) throw new Error(`port ${port} answered ${answer.statusCode}`);
  };
  return (await p50Ms(ask(asking))) - (await p50Ms(ask(remembering)));
}

function plainFetchMs(ground: Ground): Promise<number> {
  const { url, body } = check(ground);
  return p50Ms(async () => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    await answer.json();
  });
}

function check({ authorization }: Ground): { readonly url: string; readonly body: string } {
  const tuple = { user: 'user:caller-0', relation: 'viewer', object: `feature:${FEATURE}` };
  return {
    url: `${authorization.url}/stores/${authorization.storeId}/check`,
    body: JSON.stringify({ tuple_key: tuple, authorization_model_id: authorization.modelId }),
  };
}

async function p50Ms(once: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let made = 0; made < WARM_UP + REQUESTS; made += 1) {
    const began = performance.now();
    await once();
    if (made >= WARM_UP) times.push(performance.now() - began);
  }
  return median(times);
}
