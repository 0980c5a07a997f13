import { createPlatform } from '#platform';
import { MemoryCounters } from './adapters/counters-memory.ts';
import { openFgaModels } from './adapters/models-openfga.ts';
import { openFgaClient } from './adapters/openfga-client.ts';
import { openFgaRelations } from './adapters/relations-openfga.ts';
import { openFgaTuples } from './adapters/tuples-openfga.ts';
import { fetchUpstream } from './adapters/upstream-fetch.ts';
import type { AuthorizationModels } from './authorization-models.ts';
import type { Config } from './config.ts';
import type { Database } from './database.ts';
import { FallbackCounters } from './counters-fallback.ts';
import type { Platform } from './platform.ts';
import type { Clock, Random } from './ports.ts';
import { webRandom } from './random.ts';
import { cachedRelations, sharedInFlight, type CachedRelations } from './relations-cache.ts';
import { eachAlone, shareInFlight, type Collapse } from './share-in-flight.ts';
import { trustedProxies, type TrustedProxies } from './trusted-proxies.ts';
import type { Tuples } from './tuples.ts';
import type { Upstream } from './upstream.ts';

// For what is needed before there is a configuration.
export { createPlatform };

/** The ports of one running bundle, wired to their adapters. The composition root: only here are adapters imported. */
export interface Deps {
  readonly config: Config;
  readonly platform: Platform;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: ReturnType<Platform['log']>;
  readonly counters: MemoryCounters | FallbackCounters;
  /** Counters of this process, whatever the shared store is. */
  readonly localCounters: MemoryCounters;
  readonly relations: CachedRelations;
  readonly tuples: Tuples;
  readonly models: AuthorizationModels;
  /** Null without DATABASE_URL and, on Workers, HYPERDRIVE: functions that need it answer 503. */
  readonly database: Database | null;
  readonly proxies: TrustedProxies;
  readonly collapse: Collapse;
  readonly fetchUpstream: Upstream<Request, Response>;
  /** Waits for connections that are made once; one that cannot be made is said in /ready. */
  connect(): Promise<void>;
  close(): Promise<void>;
}

export interface DepsOptions {
  readonly clock?: Clock;
  readonly platform?: Platform;
}

const systemClock: Clock = { now: () => Date.now() };

export function createDeps(config: Config, options: DepsOptions = {}): Deps {
  const { clock = systemClock, platform = createPlatform() } = options;
  const log = platform.log(config.logLevel);
  const local = new MemoryCounters({ clock });
  const shared = platform.counters(config.counters, clock);
  const counters =
    shared === null
      ? local
      : new FallbackCounters({
          shared,
          local,
          clock,
          mode: config.rateLimitFailure,
          onChange: (state) => {
            log.warn('counter store', { ...state });
          },
        });
  const { openfga } = config;
  const client = openFgaClient(openfga);
  const server = openFgaRelations(client);
  const database = config.database === null ? null : platform.database(config.database);
  return {
    config,
    platform,
    clock,
    random: webRandom(),
    log,
    counters,
    localCounters: new MemoryCounters({ clock, capacity: 20_000 }),
    relations: cachedRelations(platform.joinsRequests ? sharedInFlight(server) : server, {
      scope: `${openfga.storeId}/${openfga.modelId ?? 'latest'}`,
      allowTtlMs: config.decisionTtlMs,
      clock,
    }),
    tuples: openFgaTuples(client),
    models: openFgaModels(client),
    database,
    proxies: trustedProxies(config.trustedProxies),
    collapse: platform.joinsRequests ? shareInFlight : eachAlone,
    fetchUpstream: fetchUpstream({
      fetch: platform.fetch,
      endsWithClient: platform.runtime === 'workers',
    }),
    async connect() {
      await Promise.allSettled([shared?.ready?.()]);
    },
    async close() {
      shared?.close?.();
      await database?.close();
    },
  };
}
