import { env, waitUntil } from 'cloudflare:workers';
import rules from '../../../config/access_rules.json';
import grants from '../../../config/default_grants.json';
import mails from './mail-templates.json';
import { exchangeBy } from '../../runtime.ts';
import type { Platform } from '../../ports/platform.ts';
import { portableBcrypt } from '../bcrypt/portable.ts';
import { openHyperdriveDatabase } from '../postgres/hyperdrive.ts';
import { openNeonDatabase } from '../postgres/neon.ts';
import { UpstashCounters } from '../upstash/counters.ts';
import { workerAsset } from './assets.ts';
import { jsonLog } from '../log-json.ts';
import { analyticsEngineMetrics, isDataset } from './analytics-engine.ts';
import { prometheusMetrics } from '../prometheus/metrics.ts';

const exchange = exchangeBy((to, init) => fetch(to, init));

/** Workers: many isolates that share nothing, requests that must not await one another. */
export function createPlatform(): Platform {
  const background: Platform['background'] = (work) => {
    waitUntil(work.catch(() => undefined));
  };
  const isolateMetrics = prometheusMetrics({ process: false });
  return {
    runtime: 'workers',
    joinsRequests: false,
    processes: { own: null, isDead: () => false },
    background,
    conduit: (length) => (length < 0 ? new IdentityTransformStream() : new FixedLengthStream(length)),
    fetch: (url, init) => fetch(url, init?.redirect === undefined ? { redirect: 'manual', ...init } : init),
    exchange,
    metrics: isDataset(env['METRICS'])
      ? analyticsEngineMetrics(isolateMetrics, env['METRICS'])
      : isolateMetrics,
    passwords: portableBcrypt(),
    // Collected by Workers Logs and `wrangler tail`.
    log: (level) => ({ ...jsonLog(level, console.log), flush: () => undefined }),
    counters: (config) => (config.kind === 'upstash' ? new UpstashCounters(config) : null),
    database(config) {
      const { url } = config;
      if (config.kind === 'hyperdrive') return openHyperdriveDatabase({ url, background });
      const { endpoint } = config;
      return openNeonDatabase({ url, exchange, ...(endpoint !== null && { endpoint }) });
    },
    sockets: () => null,
    readText(path) {
      // A Worker has no files: the repository's are bundled, others are in the variable itself.
      if (path === 'config/access_rules.json') return JSON.stringify(rules);
      if (path === 'config/default_grants.json') return JSON.stringify(grants);
      throw new Error('a Worker cannot read files: put the JSON itself into the variable');
    },
    readFolder: (path) => new Map(path === 'config/mail' ? Object.entries(mails) : []),
    asset: workerAsset,
    // A Worker's sockets keep the certificate of the other end to themselves.
    certificate: null,
    backups: null,
    // 60 KiB for a parser of what a deployment has checked already: docs/deploy.md.
    parseModel: null,
    watchText: () => () => undefined,
    schedule: () => () => undefined,
  };
}
