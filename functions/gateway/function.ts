import { checksAlone, checksInFlight } from '../../shared/caches/in-flight.ts';
import type { IssuersConfig } from '../../shared/configuration/issuers.ts';
import type { ServerConfig } from '../../shared/configuration/server.ts';
import type { MaybeSessions } from '../../shared/configuration/sessions.ts';
import type { CountersConfig, OpenFgaConfig } from '../../shared/configuration/stores.ts';
import type { Deps } from '../../shared/deps.ts';
import type { ReadinessCheck } from '../../shared/edge/readiness.ts';
import { cors } from '../../shared/edge/cors.ts';
import { requestLog } from '../../shared/edge/request-log.ts';
import { createAsserter, type Asserter } from './forward/assertion.ts';
import { openAuthentication, type AuthenticationNeeds, type Trust } from './authenticate/trust.ts';
import { gateway, type GatewayDeps } from './pipeline.ts';
import { UnderWay } from './limit/limit.ts';
import { Decisions } from './authorize/authorize.ts';
import { modelCheck } from './authorize/model-check.ts';
import { openRules, type RulesStore } from './match/store.ts';
import { targetChecks } from './forward/target-checks.ts';
import type { GatewayConfig } from './slice.ts';
import type { OwnRoute } from '../../shared/edge/frame.ts';
import type { Brought, OwnPaths } from '../../shared/edge/function.ts';
import type { Upstream } from '../../shared/ports/upstream.ts';
import type { KeyRing } from '../../shared/sessions/keys.ts';
import type { Inbound } from './read/request.ts';
import { fetchTransport } from './workers/transport.ts';

export interface Gateway extends Brought {
  readonly deps: GatewayDeps;
  readonly checks: readonly ReadinessCheck[];
  /** Whether requests need the database, under the rules in force. */
  needsDatabase(): boolean;
  /** Drops cached tokens, decisions and assertions of an OpenFGA user. */
  forget(user: string): void;
  /** Prefetches what the first request would otherwise wait for. */
  warm(): Promise<void>;
  close(): void;
}

type Needs = AuthenticationNeeds &
  Pick<Deps, 'counters' | 'relations' | 'models' | 'proxies'> &
  Pick<GatewayDeps, 'tokenChecked'> & {
    readonly config: GatewayConfig &
      IssuersConfig &
      MaybeSessions &
      CountersConfig &
      Pick<ServerConfig, 'allowedOrigins' | 'logging' | 'maxBodyBytes'> & { readonly openfga: OpenFgaConfig };
  };

/** Wires the gateway's steps to the bundle's ports. Throws UnusableRules and UnusableModel. */
export function createGateway(deps: Needs, ownPaths: OwnPaths): Gateway {
  const { config, clock, random, log, counters } = deps;
  const { joinsRequests, metrics } = deps.platform;
  const relations = joinsRequests ? checksInFlight(deps.relations) : checksAlone(deps.relations);
  const { authenticator, trusted, sessionCookies, looksUp } = openAuthentication(deps);
  const asserter = createAsserter(config.assertion, { clock, random, log });
  const rules = openRules(
    config.rules,
    { targets: new Set(Object.keys(config.targets)), own: ownPaths },
    deps,
  );
  if (deps.database === null && rules.current().rules.some(({ tenant }) => tenant !== undefined))
    log.warn('access rules demand a tenant, and DATABASE_URL is not set: they answer 503');
  const model = modelCheck({ models: deps.models, rules: rules.current, clock, log });
  return {
    deps: {
      config,
      ownPaths,
      sessionCookies,
      proxies: deps.proxies,
      random,
      cors: cors(config.allowedOrigins),
      guard: deps.localCounters,
      rules: rules.current,
      authenticate: authenticator.authenticate,
      counters,
      underWay: joinsRequests ? new UnderWay() : new UnderWay(Infinity),
      decisions: new Decisions({ relations, allowTtlMs: config.decisionTtlMs, clock }),
      defaultRate: config.rateLimit,
      assertion: asserter.assert,
      log,
      requests: requestLog(config.logging, { log, random }),
      metrics,
      tokenChecked: deps.tokenChecked,
    },
    routes: [jwksRoute(asserter, deps.keyRing)],
    checks: [...readiness(deps, trusted, rules), model],
    needsDatabase: () => looksUp && rules.current().rules.some(({ access }) => access.kind !== 'public'),
    forget(user) {
      for (const each of authenticator.forget(user)) relations.forget(each);
    },
    async warm() {
      await Promise.allSettled([model.look(), ...trusted.issuers.map(async ({ keys }) => keys.ping())]);
    },
    close: () => {
      rules.close();
    },
  };
}

function readiness(deps: Needs, trusted: Trust, rules: RulesStore): ReadinessCheck[] {
  const { config, counters } = deps;
  return [
    ...trusted.issuers.map(({ config: issuer, keys }): ReadinessCheck => ({
      name: `keys_${issuer.name}`,
      check: 'keys',
      needed: () => rules.current().rules.some(({ access }) => access.kind !== 'public'),
      async look() {
        await Promise.allSettled([keys.ping()]);
        const { state, ageSeconds, lastError, refused } = keys.state();
        return {
          up: state !== 'none',
          state,
          age_seconds: ageSeconds,
          ...(lastError && { last_error: lastError }),
          ...(refused.length > 0 && { refused_keys: refused }),
        };
      },
    })),
    {
      name: 'authorization',
      check: 'openfga',
      // A shadow rule admits without a verdict.
      needed: () =>
        rules.current().rules.some(({ access, mode }) => access.kind === 'relation' && mode === 'enforce'),
      look: () => deps.relations.ping().then(() => ({ up: true, state: 'up' })),
    },
    {
      name: 'counters',
      check: 'redis',
      needed: config.counters.kind !== 'memory' && config.rateLimitFailure === 'closed',
      async look() {
        await counters.ping();
        return { up: true, state: config.counters.kind };
      },
    },
    ...targetChecks(config.targets, rules, deps),
    {
      name: 'access_rules',
      check: 'configuration',
      needed: true,
      look: () => ({ up: true, state: 'loaded', ...rules.state() }),
    },
  ];
}

/** The keys of X-Gateway-Assertion and of session tokens, for upstreams. */
function jwksRoute(asserter: Asserter, keyRing: KeyRing | null): OwnRoute {
  return {
    path: '/.well-known/sallyport/jwks.json',
    methods: ['GET'],
    quota: 'coarse',
    async answer() {
      const sets = [await asserter.publicJwks(), (await keyRing?.current())?.published ?? { keys: [] }];
      const byKid = new Map(sets.flatMap(({ keys }) => keys.map((key) => [key.kid, key])));
      return Response.json(
        { keys: [...byKid.values()] },
        { headers: { 'cache-control': 'public, max-age=300' } },
      );
    },
  };
}

/** All other paths: judged by the access rules and forwarded. Not through Hono, which adds nothing here. */
export function gatewayFetch(own: Gateway, upstream: Upstream<Request, Response>) {
  const transport = fetchTransport(upstream);
  return (inbound: Inbound, request: Request): Promise<Response> =>
    gateway(inbound, request, transport, own.deps);
}
