import * as z from 'zod';
import type {
  AssertionConfig,
  Config,
  CountersConfig,
  DatabaseConfig,
  IssuerConfig,
  Runtime,
  Targets,
} from './config.ts';
import { securityFaults, shapeFaults } from './faults.ts';
import { missingHint, misspelled } from './names.ts';
import { introspectionOf, readIssuers, typOf, type NamedIssuer } from './issuers.ts';
import { modelFile, namedTexts, rulesSource, type NamedTexts } from './texts.ts';
import { warningsOf } from './warnings.ts';
import { postgresUrl, readVariables, type Fault, type RawEnvironment, type Variables } from './variables.ts';

export type ParsedEnvironment = (
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Fault[] }
  | { readonly ok: false; readonly faults: readonly Fault[] }
) & { readonly texts: NamedTexts };

/**
 * The one door from raw variables to a checked configuration. All faults are found before any is reported,
 * and an absent security setting is a fault: it never weakens a check. The caller checks what `texts` hold.
 */
export function parseEnvironment(raw: RawEnvironment, runtime: Runtime): ParsedEnvironment {
  const { variables, sound, written, targets, faults: misshapen } = readVariables(raw);
  const bindings = readBindings(raw, runtime);
  const further = readIssuers(written, [written['ZITADEL_ISSUER_URL'], written['KANIDM_ISSUER_URL']]);
  const faults = distinct([
    ...misshapen,
    ...bindings.faults,
    ...further.faults,
    ...securityFaults(sound, written, runtime),
    ...shapeFaults(sound, written),
  ]);
  const texts = namedTexts(sound, written, faults, runtime);
  if (variables === undefined || faults.length > 0) return { ok: false, faults: inFull(faults, raw), texts };
  const counters = countersOf(variables, runtime);
  const database = databaseOf(variables, bindings.hyperdriveUrl);
  return {
    ok: true,
    config: {
      ...toConfig(variables, targets, further.issuers),
      counters,
      database,
      logging: loggingOf(variables, runtime),
    },
    warnings: [
      ...misspelled(raw),
      ...warningsOf(variables, counters, runtime === 'workers' ? database : null, further.issuers.length > 0),
    ],
    texts,
  };
}

/** What is missing comes with an example, and with the name that was perhaps meant for it. */
function inFull(faults: readonly Fault[], raw: RawEnvironment): Fault[] {
  const hinted = faults.map(({ variable, problem }) => {
    const hint = problem.startsWith('is missing') ? missingHint(variable, raw) : '';
    return { variable, problem: `${problem}${hint}` };
  });
  return [
    ...hinted,
    ...misspelled(raw).filter(({ variable }) => !hinted.some(({ problem }) => problem.includes(variable))),
  ];
}

/** Several entries of one list may be wrong in the same way. */
function distinct(faults: readonly Fault[]): Fault[] {
  return [...new Map(faults.map((fault) => [`${fault.variable} ${fault.problem}`, fault])).values()];
}

/** All that one variable or two decide, whatever the runtime. */
function toConfig(
  v: Variables,
  named: Readonly<Record<string, string>>,
  further: readonly NamedIssuer[],
): Omit<Config, 'counters' | 'database' | 'logging'> {
  const issuers = issuersOf(v, further);
  const zitadel = issuers.find((issuer) => issuer.name === 'zitadel');
  return {
    environment: v.ENVIRONMENT,
    logLevel: v.LOG_LEVEL,
    listen: { host: v.HOST, port: v.PORT },
    targets: targetsOf(v, named),
    rules: {
      current: rulesSource(v.ACCESS_RULES),
      previous: v.ACCESS_RULES_PREV === undefined ? null : rulesSource(v.ACCESS_RULES_PREV),
      model: modelFile(v.OPENFGA_MODEL),
    },
    openfga: {
      url: v.OPENFGA_URL,
      storeId: v.OPENFGA_STORE_ID,
      modelId: v.OPENFGA_MODEL_ID ?? null,
      apiToken: v.OPENFGA_API_TOKEN ?? null,
    },
    issuers,
    introspection: [...zitadelIntrospection(v, zitadel), ...further.flatMap(introspectionOf)],
    zitadelApi: zitadelApiOf(v),
    rateLimit: v.RATE_LIMIT,
    rateLimitFailure: v.RATE_LIMIT_FAILURE,
    decisionTtlMs: v.DECISION_TTL * 1000,
    allowedOrigins: v.ALLOWED_ORIGINS,
    trustedProxies: v.TRUSTED_PROXIES,
    maxBodyBytes: v.MAX_BODY_BYTES,
    upstreamTimeoutMs: v.UPSTREAM_TIMEOUT_MS,
    assertion: assertionOf(v),
    webhooks: {
      signingKeys: v.WEBHOOK_SIGNING_KEYS,
      sharedSecret: v.WEBHOOK_SHARED_SECRET ?? null,
      defaultGrants: rulesSource(v.DEFAULT_GRANTS),
    },
    featureSync: v.FEATURE_SYNC,
    metricsToken: v.METRICS_TOKEN ?? null,
  };
}

/** Cloudflare logs every invocation of a Worker by itself, and a line costs it more than most of a request. */
function loggingOf(v: Variables, runtime: Runtime): Config['logging'] {
  return { passing: v.LOG_REQUESTS ?? (runtime === 'workers' ? 0 : 1), paths: v.LOG_PATHS === 'on' };
}

function issuersOf(v: Variables, further: readonly NamedIssuer[]): IssuerConfig[] {
  const candidates = [
    { name: 'zitadel', url: v.ZITADEL_ISSUER_URL, audiences: v.ZITADEL_AUDIENCE },
    { name: 'kanidm', url: v.KANIDM_ISSUER_URL, audiences: v.KANIDM_AUDIENCE },
  ] as const;
  const others = further.map(({ issuer }) => issuer.name);
  const own = candidates.flatMap(({ name, url, audiences = [] }): IssuerConfig[] => {
    const [first, ...rest] = audiences;
    if (url === undefined || first === undefined) return [];
    const sharedSubjects = v.SHARED_SUBJECT_ISSUERS.includes(name);
    const typ = name === 'kanidm' ? 'at+jwt' : typOf(url);
    return [{ name, url, audiences: [first, ...rest], sharedSubjects, others, typ }];
  });
  return [...own, ...further.map(({ issuer }) => issuer)];
}

function zitadelIntrospection(v: Variables, issuer: IssuerConfig | undefined): Config['introspection'] {
  const { ZITADEL_CLIENT_ID: clientId, ZITADEL_CLIENT_SECRET: clientSecret } = v;
  if (issuer === undefined || clientId === undefined || clientSecret === undefined) return [];
  return [{ issuer, clientId, clientSecret, organizations: v.ZITADEL_ORGANIZATIONS }];
}

function zitadelApiOf(v: Variables): Config['zitadelApi'] {
  const [url, token] = [zitadelUrl(v), v.ZITADEL_SERVICE_TOKEN];
  return url === undefined || token === undefined ? null : { url, token };
}

function zitadelUrl(v: Variables): string | undefined {
  return v.ZITADEL_API_URL ?? v.ZITADEL_ISSUER_URL?.replace(/\/+$/, '');
}

function targetsOf(v: Variables, named: Readonly<Record<string, string>>): Targets {
  const zitadel = zitadelUrl(v);
  return {
    ...named,
    ...(zitadel !== undefined && { zitadel }),
    openfga: v.OPENFGA_URL,
    upstream: v.UPSTREAM_URL,
  };
}

function countersOf(v: Variables, runtime: Runtime): CountersConfig {
  // A Worker cannot keep one TCP connection across requests, so there only the REST form is a shared store.
  if (runtime === 'node' && v.REDIS_URL !== undefined) return { kind: 'redis', url: v.REDIS_URL };
  if (v.UPSTASH_REDIS_REST_URL !== undefined && v.UPSTASH_REDIS_REST_TOKEN !== undefined) {
    return { kind: 'upstash', url: v.UPSTASH_REDIS_REST_URL, token: v.UPSTASH_REDIS_REST_TOKEN };
  }
  return { kind: 'memory' };
}

/** Hyperdrive wins: DATABASE_URL may stand beside it for the commands. */
function databaseOf(v: Variables, hyperdriveUrl: string | undefined): DatabaseConfig | null {
  if (hyperdriveUrl !== undefined) return { kind: 'hyperdrive', url: hyperdriveUrl };
  if (v.DATABASE_URL === undefined) return null;
  return { kind: 'url', url: v.DATABASE_URL, endpoint: v.DATABASE_HTTP_ENDPOINT ?? null };
}

function assertionOf(v: Variables): AssertionConfig {
  if (v.ASSERTION_KEYS === undefined) return { kind: 'ephemeral' };
  return v.ASSERTION_KEYS === 'off' ? { kind: 'off' } : { kind: 'keys', jwks: v.ASSERTION_KEYS };
}

/** The one binding that is configuration: where the pool of Hyperdrive is reached, by a URL that holds inside workerd only. */
const Hyperdrive = z.object({ connectionString: postgresUrl });

export interface Bindings {
  /** Undefined without the binding, and on Node, which has none. */
  readonly hyperdriveUrl: string | undefined;
  readonly faults: readonly Fault[];
}

/** What a Worker is handed beside text: objects that the runtime made, checked before anything uses them. */
export function readBindings(raw: RawEnvironment, runtime: Runtime): Bindings {
  const { HYPERDRIVE } = raw;
  if (runtime === 'node' || HYPERDRIVE === undefined) return { hyperdriveUrl: undefined, faults: [] };
  const parsed = Hyperdrive.safeParse(HYPERDRIVE);
  if (parsed.success) return { hyperdriveUrl: parsed.data.connectionString, faults: [] };
  const problem =
    'is no Hyperdrive of a Postgres: bind one as [[hyperdrive]] in wrangler.toml, or leave it out';
  return { hyperdriveUrl: undefined, faults: [{ variable: 'HYPERDRIVE', problem }] };
}
