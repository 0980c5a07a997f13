import type { Deps } from '../shared/deps.ts';
import { framed, type OwnRoute } from '../shared/edge/frame.ts';
import { Refusal } from '../shared/errors.ts';
import type { ReadinessCheck } from '../shared/edge/readiness.ts';
import { OWN_PATHS } from './catalogue.ts';
import type { Cron } from './cron/cron.ts';
import { createGateway, type Gateway } from './gateway/function.ts';
import { inboundOf, targetOf } from './gateway/workers/transport.ts';
import { forwardAuth } from './gateway/forward-auth.ts';
import { readRequest } from './gateway/read/request.ts';
import { gatewayFetch, jwksRoute, type PeerOf } from './gateway/function.ts';
import { createJobs } from './jobs.ts';
import { statusRoutes } from './status/function.ts';
import { createWebhooks, type Webhooks } from './webhooks/function.ts';

export interface App {
  /** The bundle's own routes, whatever the path. */
  readonly own: (request: Request, bindings: unknown) => Promise<Response>;
  /** Any request: own routes win over access rules. `bindings`: what the runtime hands over with it. */
  fetch(request: Request, bindings: unknown): Response | Promise<Response>;
  readonly gateway: Gateway;
  readonly webhooks: Webhooks;
  /** Null without a database. */
  readonly cron: Cron | null;
  close(): Promise<void>;
}

/** The map of the bundle: which function answers what. `more`: what one runtime alone has to show in /ready. Throws UnusableRules and UnusableGrants. */
export function createApp(deps: Deps, peerOf: PeerOf, more: readonly ReadinessCheck[] = []): App {
  const gateway = createGateway(deps, OWN_PATHS);
  const webhooks = createWebhooks(deps, (caller, user) => {
    gateway.forget(caller, user);
  });
  const cron = createJobs(deps, webhooks);
  const { config, clock } = deps;
  const { runtime, metrics } = deps.platform;
  const status = statusRoutes({
    config,
    runtime,
    clock,
    metrics,
    collapse: deps.collapse,
    checks: [...gateway.checks, ...databaseChecks(deps), ...webhooks.checks, ...more],
  });
  const routes = [...status, jwksRoute(gateway), ...webhooks.routes];
  const own = ownRoutes(routes, gateway, deps, peerOf);
  const forward = gatewayFetch(gateway, deps.fetchUpstream, peerOf);
  return {
    own,
    fetch: (request, bindings) =>
      OWN_PATHS.has(targetOf(request.url)) ? own(request, bindings) : forward(request, bindings),
    gateway,
    webhooks,
    cron,
    async close() {
      await cron?.close();
      gateway.close();
      await deps.close();
    },
  };
}

/** Own routes in their frame; /forward-auth speaks for other requests, in the gateway's own. */
function ownRoutes(routes: readonly OwnRoute[], gateway: Gateway, deps: Deps, peerOf: PeerOf): App['own'] {
  const { proxies, random } = deps;
  const byPath = new Map(routes.map((route) => [route.path, route]));
  return (request, bindings) => {
    const inbound = inboundOf(request, peerOf(request, bindings));
    const [path = ''] = inbound.target.split('?', 1);
    if (path === '/forward-auth') return forwardAuth(inbound, gateway.deps);
    const route = byPath.get(path) ?? NOWHERE;
    return framed(route, request, readRequest(inbound, proxies, random), gateway.deps);
  };
}

const NOWHERE: OwnRoute = {
  path: '',
  methods: ['GET', 'POST'],
  guarded: false,
  answer() {
    throw new Refusal('not_found', 'no such route of the bundle');
  },
};

/** Not needed: the gateway forwards without it. */
function databaseChecks({ database }: Deps): ReadinessCheck[] {
  if (database === null) return [];
  return [
    { name: 'database', needed: false, look: () => database.ping().then(() => ({ up: true, state: 'up' })) },
  ];
}
