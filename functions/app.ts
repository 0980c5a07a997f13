import type { Deps } from '../shared/deps.ts';
import { framed, type OwnRoute } from '../shared/edge/frame.ts';
import { ownPaths, routesByPath, type Brought } from '../shared/edge/function.ts';
import type { ReadinessCheck } from '../shared/edge/readiness.ts';
import { Refusal } from '../shared/errors.ts';
import { sealBy } from '../shared/mail/seal.ts';
import type { ScheduledJob } from '../shared/runs/job.ts';
import { scheduleOf } from './catalogue.ts';
import type { Config, FurtherDeps } from './configuration.ts';
import { createAlarms } from './alarms/function.ts';
import { createCron, type Cron } from './cron/cron.ts';
import { inboundOf, type PeerOf } from './gateway/workers/transport.ts';
import { createFigures } from './figures/function.ts';
import { asCaller } from './gateway/caller.ts';
import { forwardAuth } from './gateway/forward-auth.ts';
import { readRequest, type Inbound } from './gateway/read/request.ts';
import { createGateway, gatewayFetch, type Gateway } from './gateway/function.ts';
import { createMail } from './mail/function.ts';
import { statusRoutes } from './status/function.ts';
import { createWebhooks } from './webhooks/function.ts';

export interface App {
  /** Own routes only, whatever the path. */
  readonly own: (request: Request, bindings: unknown) => Promise<Response>;
  /** Any request: own routes win over access rules. `bindings`: passed by the runtime with the request. */
  fetch(request: Request, bindings: unknown): Response | Promise<Response>;
  readonly gateway: Gateway;
  /** Null without a database. */
  readonly cron: Cron | null;
  close(): Promise<void>;
}

export type Bundle = Deps & { readonly config: Config };

/** Parts of one runtime only. */
export interface AppOptions {
  readonly more?: Brought;
  /** Called with each OpenFGA user that a function of this process forgets. */
  readonly onForget?: FurtherDeps['forget'] | undefined;
}

/** Composes the parts of functions. Throws UnusableRules, UnusableGrants and UnusableTemplates. */
export function createApp(deps: Bundle, peerOf: PeerOf, { more = {}, onForget }: AppOptions = {}): App {
  const paths = ownPaths(deps.config.functions);
  const figures = createFigures(deps);
  const gateway = createGateway({ ...deps, tokenChecked: figures.tokenChecked }, paths);
  const forget: FurtherDeps['forget'] = (user) => {
    gateway.forget(user);
    onForget?.(user);
  };
  const webhooks = createWebhooks({ ...deps, forget });
  const mail = createMail({ ...deps, seal: sealBy(deps.keyRing) });
  const provided = {
    ...deps,
    forget,
    outbox: mail.outbox,
    linked: webhooks.nudge,
    asCaller: asCaller(gateway.deps),
  };
  const further = deps.config.starts.map((start) => start(provided));
  const brought: readonly Brought[] = [
    gateway,
    { checks: databaseChecks(deps, gateway) },
    webhooks,
    mail,
    figures,
    createAlarms({ ...deps, outbox: mail.outbox }),
    ...further,
    more,
  ];
  const cron = createJobs(brought, deps);
  const { config, clock } = deps;
  const { runtime, metrics } = deps.platform;
  const status = statusRoutes({
    config,
    runtime,
    clock,
    metrics,
    collapse: deps.collapse,
    checks: brought.flatMap(({ checks = [] }) => checks),
  });
  const routes = [...status, ...brought.flatMap((each) => each.routes ?? [])];
  const stray = routes.find(({ path }) => !paths.has(path));
  if (stray !== undefined) throw new Error(`no function has ${stray.path} among its paths`);
  const own = ownRoutes(routes, gateway, deps);
  const forward = gatewayFetch(gateway, deps.fetchUpstream);
  return {
    own: (request, bindings) => own(inboundOf(request, bindings, peerOf), request),
    fetch(request, bindings) {
      const inbound = inboundOf(request, bindings, peerOf);
      return paths.has(inbound.target) ? own(inbound, request) : forward(inbound, request);
    },
    gateway,
    cron,
    async close() {
      await cron?.close();
      for (const each of brought) await each.close?.();
      await deps.close();
    },
  };
}

/** Own routes in their frame; /forward-auth decides on other requests, in the gateway's frame. */
function ownRoutes(routes: readonly OwnRoute[], gateway: Gateway, deps: Deps) {
  const { proxies, random } = deps;
  const routeOf = routesByPath(routes);
  return (inbound: Inbound, request: Request): Promise<Response> => {
    const [path = ''] = inbound.target.split('?', 1);
    if (path === '/forward-auth') return forwardAuth(inbound, gateway.deps);
    return framed(routeOf(path) ?? NOWHERE, request, readRequest(inbound, proxies, random), gateway.deps);
  };
}

const NOWHERE: OwnRoute = {
  path: '',
  methods: ['GET', 'POST'],
  quota: 'refusals',
  answer() {
    throw new Refusal('not_found', 'no such route of the bundle');
  },
};

/** The bundle's regular jobs; null without a database, which holds the leases. */
function createJobs(brought: readonly Brought[], deps: Bundle): Cron | null {
  const { config, database, random, log, platform } = deps;
  if (database === null) return null;
  const byName = new Map(brought.flatMap(({ jobs = {} }) => Object.entries(jobs)));
  const jobs = scheduleOf(config.functions).map(({ job: name, pattern }): ScheduledJob => {
    const job = byName.get(name);
    if (job === undefined) throw new Error(`no function brings the job ${name}`);
    return { name, pattern, run: (run) => job.run(run) };
  });
  return createCron({ database, random, log, metrics: platform.metrics, jobs, idle: new Set(config.idle) });
}

/** Needed where it says whose tokens are whose. */
function databaseChecks({ database }: Deps, gateway: Gateway): ReadinessCheck[] {
  if (database === null) return [];
  const needed = (): boolean => gateway.needsDatabase();
  return [
    {
      name: 'database',
      check: 'database',
      needed,
      look: () => database.ping().then(() => ({ up: true, state: 'up' })),
    },
  ];
}
