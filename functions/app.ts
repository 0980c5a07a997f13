import { Hono, type Context } from 'hono';
import type { Deps } from '../shared/deps.ts';
import { framed, type OwnRoute } from '../shared/edge/frame.ts';
import { Refusal } from '../shared/errors.ts';
import type { ReadinessCheck } from '../shared/readiness.ts';
import type { Cron } from './cron/index.ts';
import { createGateway, type Gateway } from './gateway/create.ts';
import { inboundOf, targetOf } from './gateway/fetch-transport.ts';
import { forwardAuth } from './gateway/forward-auth.ts';
import { readRequest, type Inbound } from './gateway/request.ts';
import { gatewayFetch, jwksRoute, type PeerOf } from './gateway/routes.ts';
import { isOwnPath } from './gateway/rules/own-routes.ts';
import { createJobs } from './jobs.ts';
import { statusRoutes } from './status/index.ts';
import { createWebhooks, type Webhooks } from './webhooks/create.ts';

export interface App {
  /** The bundle's own routes. */
  readonly hono: Hono;
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
  const gateway = createGateway(deps);
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
  const hono = ownRoutes(routes, gateway, deps, peerOf);
  const forward = gatewayFetch(gateway, deps.fetchUpstream, peerOf);
  return {
    hono,
    fetch: (request, bindings) =>
      isOwnPath(targetOf(request.url)) ? hono.fetch(request, bindings) : forward(request, bindings),
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

/** Own routes in their frame; /forward-auth answers for other requests, with the gateway's own. */
function ownRoutes(routes: readonly OwnRoute[], gateway: Gateway, deps: Deps, peerOf: PeerOf): Hono {
  const { proxies, random } = deps;
  const frame = { ...gateway.deps, uuid: () => random.uuid() };
  const inbound = ({ req, env }: Context): Inbound => inboundOf(req.raw, peerOf(req.raw, env));
  const answer = (route: OwnRoute, c: Context): Promise<Response> =>
    framed(route, c.req.raw, () => readRequest(inbound(c), proxies, random), frame);
  const hono = new Hono();
  for (const route of routes) hono.all(route.path, (c) => answer(route, c));
  hono.all('/forward-auth', (c) => forwardAuth(inbound(c), gateway.deps));
  hono.notFound((c) => answer(NOWHERE, c));
  return hono;
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
