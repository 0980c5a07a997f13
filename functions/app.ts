import { Hono } from 'hono';
import type { Deps } from '../shared/deps.ts';
import { Refusal } from '../shared/errors.ts';
import { toProblem, toRefusal } from '../shared/problem.ts';
import type { ReadinessCheck } from '../shared/readiness.ts';
import type { Cron } from './cron/index.ts';
import { createGateway, type Gateway } from './gateway/create.ts';
import { targetOf } from './gateway/fetch-transport.ts';
import { gatewayFetch, gatewayRoutes, type PeerOf } from './gateway/routes.ts';
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
  const hono = new Hono();
  hono.route(
    '/',
    statusRoutes({
      config,
      runtime,
      clock,
      metrics,
      collapse: deps.collapse,
      checks: [...gateway.checks, ...databaseChecks(deps), ...webhooks.checks, ...more],
    }),
  );
  hono.route('/', gatewayRoutes(gateway, peerOf));
  hono.route('/', webhooks.routes);
  hono.notFound(() => {
    throw new Refusal('not_found', 'no such route of the bundle');
  });
  hono.onError((error) => {
    const refusal = toRefusal(error);
    if (refusal.code === 'internal_error') deps.log.error('internal error', { reason: refusal.reason });
    const { status, headers, body } = toProblem(refusal, deps.random.uuid());
    return new Response(body, { status, headers: new Headers(headers) });
  });
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

/** Not needed: the gateway forwards without it. */
function databaseChecks({ database }: Deps): ReadinessCheck[] {
  if (database === null) return [];
  return [
    { name: 'database', needed: false, look: () => database.ping().then(() => ({ up: true, state: 'up' })) },
  ];
}
