import * as z from 'zod';
import { parseDatabaseUrl } from '../database/url.ts';
import { ENVIRONMENT, meansProduction } from './server.ts';
import { broken, halfOf, slice, type Fault, type Given } from './slice.ts';
import { httpBase, postgresUrl, ulid, url } from './values.ts';

export interface OpenFgaConfig {
  readonly url: string;
  readonly storeId: string;
  readonly modelId: string | null;
  readonly apiToken: string | null;
}

/** The authorization server. */
export const OPENFGA = slice({
  variables: {
    OPENFGA_URL: httpBase,
    OPENFGA_STORE_ID: ulid,
    OPENFGA_MODEL_ID: ulid.optional(),
    OPENFGA_API_TOKEN: z.string().optional(),
  },
  examples: {
    OPENFGA_URL: 'https://openfga.internal.example.org',
    OPENFGA_STORE_ID: '01JQ3V5Z8N4X7R2M6T9K1C0WBD (`npx sallyport fga bootstrap` prints yours)',
  },
  read: (v): { readonly openfga: OpenFgaConfig } => ({
    openfga: {
      url: v.OPENFGA_URL,
      storeId: v.OPENFGA_STORE_ID,
      modelId: v.OPENFGA_MODEL_ID ?? null,
      apiToken: v.OPENFGA_API_TOKEN ?? null,
    },
  }),
});

export type StoreOfCounters =
  | { readonly kind: 'memory' }
  | { readonly kind: 'redis'; readonly url: string }
  | { readonly kind: 'upstash'; readonly url: string; readonly token: string };

export interface CountersConfig {
  readonly counters: StoreOfCounters;
  readonly rateLimitFailure: 'local' | 'open' | 'closed';
}

/** The store of request counters and of marks of withdrawn tokens. */
export const COUNTERS = slice({
  variables: {
    ENVIRONMENT,
    REDIS_URL: url(['redis:', 'rediss:']).optional(),
    UPSTASH_REDIS_REST_URL: httpBase.optional(),
    UPSTASH_REDIS_REST_TOKEN: z.string().optional(),
    RATE_LIMIT_FAILURE: z.enum(['local', 'open', 'closed'], 'write local, open or closed').default('local'),
  },
  examples: {
    REDIS_URL: 'rediss://:password@redis.internal.example.org:6379',
    UPSTASH_REDIS_REST_URL: 'https://eu1-example.upstash.io',
    UPSTASH_REDIS_REST_TOKEN: 'AXk…',
  },
  faults: (given) => [
    ...alone(given),
    ...halfOf(given.written, 'UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN'),
  ],
  read: (v, { runtime }): CountersConfig => ({
    counters: storeOf(v, runtime),
    rateLimitFailure: v.RATE_LIMIT_FAILURE,
  }),
  warnings: ({ counters }) =>
    broken([
      counters.kind === 'memory',
      'REDIS_URL',
      'is absent (on Workers: UPSTASH_REDIS_REST_URL): counters live in this process and are not shared',
    ]),
});

function alone({ written, runtime }: Given) {
  const upstash = written['UPSTASH_REDIS_REST_URL'] ?? written['UPSTASH_REDIS_REST_TOKEN'];
  const shared = upstash ?? (runtime === 'workers' ? undefined : written['REDIS_URL']);
  return broken([
    meansProduction(written) && shared === undefined,
    runtime === 'workers' ? 'UPSTASH_REDIS_REST_URL' : 'REDIS_URL',
    'is missing: in production instances must share their counters' +
      (runtime === 'workers' ? '; Workers reach Redis by UPSTASH_REDIS_REST_URL and its token' : ''),
  ]);
}

function storeOf(
  v: {
    readonly REDIS_URL?: string | undefined;
    readonly UPSTASH_REDIS_REST_URL?: string | undefined;
    readonly UPSTASH_REDIS_REST_TOKEN?: string | undefined;
  },
  runtime: Given['runtime'],
): StoreOfCounters {
  // A Worker cannot keep one TCP connection across requests, so there only the REST form is a shared store.
  if (runtime === 'node' && v.REDIS_URL !== undefined) return { kind: 'redis', url: v.REDIS_URL };
  if (v.UPSTASH_REDIS_REST_URL !== undefined && v.UPSTASH_REDIS_REST_TOKEN !== undefined) {
    return { kind: 'upstash', url: v.UPSTASH_REDIS_REST_URL, token: v.UPSTASH_REDIS_REST_TOKEN };
  }
  return { kind: 'memory' };
}

export type DatabaseConfig =
  /** `endpoint`: of SQL over HTTP on Workers, when it is not the one Neon's driver derives from the URL. */
  | { readonly kind: 'url'; readonly url: string; readonly endpoint: string | null }
  /** Workers only. */
  | { readonly kind: 'hyperdrive'; readonly url: string };

/** The only binding that is configuration: Hyperdrive's URL, valid inside workerd only. */
const Hyperdrive = z.object({ connectionString: postgresUrl });

/** A Worker's binding is checked before use; Node has no bindings. */
function hyperdriveOf({ raw: { HYPERDRIVE }, runtime }: Given) {
  return runtime === 'node' || HYPERDRIVE === undefined ? undefined : Hyperdrive.safeParse(HYPERDRIVE);
}

/** True where neither a URL nor a binding names a database. */
export function lacksDatabase({ written, raw }: Given): boolean {
  return written['DATABASE_URL'] === undefined && raw['HYPERDRIVE'] === undefined;
}

/** For `Definition.faults` of a function whose records are rows of the database; `use`: which ones, as a clause. */
export function needsDatabase(use: string): (given: Given) => Fault[] {
  return (given) => broken([lacksDatabase(given), 'DATABASE_URL', `is missing: ${use} there`]);
}

/** Postgres. Hyperdrive wins: DATABASE_URL may be set beside it for the commands. */
export const DATABASE = slice({
  variables: { DATABASE_URL: postgresUrl.optional(), DATABASE_HTTP_ENDPOINT: httpBase.optional() },
  examples: { DATABASE_URL: 'postgres://sallyport:password@db.internal.example.org:5432/sallyport' },
  faults: (given) =>
    broken([
      hyperdriveOf(given)?.success === false,
      'HYPERDRIVE',
      'is no Hyperdrive of a Postgres: bind one as [[hyperdrive]] in wrangler.toml, or leave it out',
    ]),
  read(v, given): { readonly database: DatabaseConfig | null } {
    const hyperdrive = hyperdriveOf(given)?.data;
    if (hyperdrive !== undefined)
      return { database: { kind: 'hyperdrive', url: hyperdrive.connectionString } };
    if (v.DATABASE_URL === undefined) return { database: null };
    return { database: { kind: 'url', url: v.DATABASE_URL, endpoint: v.DATABASE_HTTP_ENDPOINT ?? null } };
  },
  warnings: ({ database }, { runtime }) =>
    broken([
      runtime === 'workers' &&
        database?.kind === 'url' &&
        database.endpoint === null &&
        !parseDatabaseUrl(database.url).neon,
      'DATABASE_URL',
      'is not at Neon, whose SQL over HTTP is all that a Worker speaks by itself: bind a Hyperdrive as HYPERDRIVE, or set DATABASE_HTTP_ENDPOINT',
    ]),
});
