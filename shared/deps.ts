import { createPlatform } from '#platform';
import { MemoryCounters } from './adapters/counters/memory.ts';
import { openFgaModels } from './adapters/openfga/models.ts';
import { openFgaClient } from './adapters/openfga/client.ts';
import { openFgaRelations } from './adapters/openfga/relations.ts';
import { openFgaTuples } from './adapters/openfga/tuples.ts';
import { fetchUpstream } from './adapters/workerd/upstream.ts';
import type { AuthorizationModels } from './ports/authorization-models.ts';
import type { Config } from './configuration/config.ts';
import type { Database } from './ports/database.ts';
import { FallbackCounters } from './counting/fallback.ts';
import { MARK_SECONDS, type MarkSource } from './identity/marks.ts';
import type { Platform } from './ports/platform.ts';
import type { Clock, Random } from './ports/runtime.ts';
import { webRandom } from './random.ts';
import { cachedRelations, sharedInFlight, type CachedRelations } from './caches/relations.ts';
import { eachAlone, shareInFlight, type Collapse } from './caches/in-flight.ts';
import { trustedProxies, type TrustedProxies } from './edge/trusted-proxies.ts';
import type { Tuples } from './ports/tuples.ts';
import type { Upstream } from './ports/upstream.ts';

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
  /** Where marks come from when the counters have lost them. */
  marksFrom(source: MarkSource): void;
  /**
   * Node only. Waits for connections that are made once, and for marks; /ready shows what is missing. From then on
   * it is looked regularly whether the counter store is still the one it was.
   */
  connect(): Promise<void>;
  close(): Promise<void>;
}

export interface DepsOptions {
  readonly clock?: Clock;
  readonly platform?: Platform;
}

const LOOK_MS = 500;
/** A start waits no longer for marks: an instance that is not there serves nobody. */
const MARKS_WITHIN_MS = 5_000;

const systemClock: Clock = { now: () => Date.now() };

export function createDeps(config: Config, options: DepsOptions = {}): Deps {
  const { clock = systemClock, platform = createPlatform() } = options;
  const random = webRandom();
  const log = platform.log(config.logLevel);
  const counting = openCounters(config, { clock, random, log, platform });
  const { openfga } = config;
  const client = openFgaClient(openfga, platform.exchange);
  const server = openFgaRelations(client);
  const database = config.database === null ? null : platform.database(config.database);
  return {
    config,
    platform,
    clock,
    random,
    log,
    counters: counting.counters,
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
      conduit: platform.conduit,
      endsWithClient: platform.runtime === 'workers',
    }),
    marksFrom: counting.marksFrom,
    connect: counting.connect,
    async close() {
      counting.close();
      await database?.close();
    },
  };
}

interface Counting extends Pick<Deps, 'counters' | 'marksFrom' | 'connect'> {
  close(): void;
}

type CountingDeps = Pick<Deps, 'clock' | 'random' | 'log' | 'platform'>;

function openCounters(config: Config, { clock, random, log, platform }: CountingDeps): Counting {
  const local = new MemoryCounters({ clock });
  const shared = platform.counters(config.counters, clock);
  if (shared === null) return countAlone(local, clock);
  const counters = new FallbackCounters({
    shared,
    local,
    clock,
    random,
    log,
    background: platform.background,
    mode: config.rateLimitFailure,
    onChange: (state) => {
      log.warn('counter store', { ...state });
    },
  });
  let looking: ReturnType<typeof setInterval> | undefined;
  return {
    counters,
    marksFrom(source) {
      counters.marksFrom(source);
    },
    async connect() {
      await Promise.allSettled([shared.ready?.()]);
      await within(MARKS_WITHIN_MS, counters.look());
      looking = setInterval(() => void counters.look(), LOOK_MS);
    },
    close() {
      clearInterval(looking);
      shared.close?.();
    },
  };
}

/** Its memory begins empty with every start. */
function countAlone(counters: MemoryCounters, clock: Clock): Counting {
  let source: MarkSource | undefined;
  return {
    counters,
    marksFrom(from) {
      source = from;
    },
    async connect() {
      const oldest = clock.now() - MARK_SECONDS * 1_000;
      const learned = source?.since(oldest, (caller, mark) => counters.mark(caller, mark, MARK_SECONDS));
      await within(MARKS_WITHIN_MS, Promise.allSettled([learned]));
    },
    close: () => undefined,
  };
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, over]);
  clearTimeout(timer);
}
