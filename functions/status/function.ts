import { REQUESTS } from '../../shared/checks/requests.ts';
import type { ServerConfig } from '../../shared/configuration/server.ts';
import type { OwnRoute } from '../../shared/edge/frame.ts';
import { bearsSecret } from '../../shared/edge/secrets.ts';
import { messageOf, Refusal } from '../../shared/errors.ts';
import { inTime, type Clock } from '../../shared/ports/runtime.ts';
import type { Metrics } from '../../shared/ports/metrics.ts';
import type { Look, ReadinessCheck } from '../../shared/edge/readiness.ts';
import type { StatusConfig } from './slice.ts';
import type { Collapse } from '../../shared/caches/in-flight.ts';

export interface StatusDeps {
  readonly config: StatusConfig & Pick<ServerConfig, 'environment'>;
  readonly runtime: 'node' | 'workers';
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly collapse: Collapse;
  readonly checks: readonly ReadinessCheck[];
}

interface Report {
  readonly ready: boolean;
  readonly dependencies: Readonly<Record<string, Look & Seen>>;
}

interface Seen extends Pick<Look, 'up' | 'state'> {
  readonly needed: boolean;
}

// Probes are frequent: dependencies are checked at most once in this time
// (on Workers by each request that arrives before the first check ends).
const REPORT_TTL_MS = 1_000;
const LOOK_TIMEOUT_MS = 2_000;

/** /health: the process answers. /ready: needed dependencies are up. /metrics: Prometheus text. */
export function statusRoutes(deps: StatusDeps): OwnRoute[] {
  let kept: { readonly report: Report; readonly until: number } | undefined;

  const report = deps.collapse(async () => {
    const fresh = await look(deps.checks);
    kept = { report: fresh, until: deps.clock.now() + REPORT_TTL_MS };
    return fresh;
  }, String);

  // A caller that shares an address with the probes must not make an instance unready. Expensive answers are cached, or
  // need a token.
  const get = (path: string, answer: OwnRoute['answer']): OwnRoute => ({
    path,
    methods: ['GET'],
    quota: 'refusals',
    answer,
  });
  return [
    get('/health', () => new Response('OK', { headers: { 'content-type': 'text/plain; charset=UTF-8' } })),
    get('/ready', async ({ headers }) => {
      const known = kept !== undefined && deps.clock.now() < kept.until ? kept.report : await report('');
      const shown = isScraper(headers.get('authorization'), deps.config) ? known : statesOf(known);
      return Response.json(shown, {
        status: known.ready ? 200 : 503,
        headers: { 'cache-control': 'no-store' },
      });
    }),
    get('/metrics', async ({ headers }) => {
      admitScraper(headers.get('authorization'), deps);
      const { contentType, body } = await deps.metrics.render();
      return new Response(body, { headers: { 'content-type': contentType } });
    }),
  ];
}

async function look(checks: readonly ReadinessCheck[]): Promise<Report> {
  const looks = await Promise.all(
    checks.map(async (check): Promise<[string, Look & Seen]> => {
      const look = await lookAt(check);
      // Rules, and their needs, may have changed since the start.
      const needed = typeof check.needed === 'function' ? check.needed() : check.needed;
      return [check.name, { needed, ...look, ...(!look.up && stepsOf(check)) }];
    }),
  );
  return {
    ready: looks.every(([, { up, needed }]) => up || !needed),
    dependencies: Object.fromEntries(looks),
  };
}

/** What an operator does next: shown with METRICS_TOKEN only. */
function stepsOf({ check }: ReadinessCheck): Pick<Look, 'doctor' | 'next'> {
  return { doctor: `sallyport doctor --only ${check}`, next: REQUESTS[check].next };
}

/** The public part: details hold addresses, errors of providers and names from the rules. */
function statesOf({ ready, dependencies }: Report): { ready: boolean; dependencies: Record<string, Seen> } {
  const seen = Object.entries(dependencies).map(
    ([name, { needed, up, state }]) => [name, { needed, up, state }] as const,
  );
  return { ready, dependencies: Object.fromEntries(seen) };
}

async function lookAt(check: ReadinessCheck): Promise<Look> {
  try {
    return await inTime(LOOK_TIMEOUT_MS, check.look(), () => ({ up: false, state: 'no answer in time' }));
  } catch (error) {
    return { up: false, state: 'away', last_error: messageOf(error) };
  }
}

/** Metrics name routes and targets: open without a token only on Node outside production. */
function admitScraper(authorization: string | null, deps: StatusDeps): void {
  const { metricsToken, environment } = deps.config;
  if (metricsToken === null) {
    if (deps.runtime === 'node' && environment !== 'production') return;
    throw new Refusal('forbidden', 'METRICS_TOKEN is not set', {
      detail: 'Set METRICS_TOKEN to open /metrics.',
    });
  }
  if (authorization === null) throw new Refusal('missing_token', 'no token for /metrics', BEARER);
  if (!isScraper(authorization, deps.config))
    throw new Refusal('invalid_token', 'wrong token for /metrics', BEARER);
}

function isScraper(authorization: string | null, { metricsToken }: StatusConfig): boolean {
  if (authorization === null || metricsToken === null) return false;
  return bearsSecret(authorization, metricsToken);
}

const BEARER = { headers: { 'www-authenticate': 'Bearer realm="sallyport metrics"' } };
