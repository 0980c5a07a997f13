import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { MetricsSample, ProcessMetrics } from '../../ports/metrics.ts';
import type { Platform } from '../../ports/platform.ts';
import { webRandom } from '../../runtime.ts';
import { nativeBcrypt } from '../bcrypt/native.ts';
import { openPgDatabase } from '../postgres/pg.ts';
import { RedisCounters } from '../redis/counters.ts';
import { UpstashCounters } from '../upstash/counters.ts';
import { parseModel } from '../openfga/model-file.ts';
import { connectionTo } from '../postgres/tls.ts';
import { prometheusMetrics } from '../prometheus/metrics.ts';
import { readFolder } from '../../configuration/folder.ts';
import { nodeAsset } from './assets.ts';
import { readBackups } from './backups.ts';
import { readCertificate } from './certificates.ts';
import { linuxProcesses } from './processes.ts';
import { cronerSchedule } from './schedule.ts';
import { stdoutLog } from './stdout.ts';
import { undiciExchange } from '../undici/exchange.ts';
import { undiciUpstream } from '../undici/upstream.ts';
import { upgradeUpstream } from './upgrade.ts';

const WATCH_MS = 500;

/** Where other processes serve the same port, and write to the same stdout. */
export interface Siblings {
  /** Samples of all of them; `own` is that of this process. */
  readonly samples: (own: MetricsSample) => Promise<readonly MetricsSample[]>;
}

/** Node: many requests in one process, sockets that stay open. */
export function createPlatform(siblings?: Siblings): Platform & { readonly metrics: ProcessMetrics } {
  const metrics = prometheusMetrics({ process: true, others: siblings?.samples });
  return {
    runtime: 'node',
    joinsRequests: true,
    processes: linuxProcesses(),
    // Background work handles its own failures; this only keeps an unhandled one from ending the process.
    background: (work) => void work.catch(() => undefined),
    conduit: () => new TransformStream(),
    fetch: (url, init) => fetch(url, { redirect: 'manual', ...init }),
    exchange: undiciExchange,
    metrics,
    passwords: nativeBcrypt(),
    log: (level) => stdoutLog(level, metrics, siblings !== undefined),
    counters(config, clock) {
      if (config.kind === 'redis') return new RedisCounters({ url: config.url, clock });
      if (config.kind === 'memory') return null;
      return new UpstashCounters({ ...config, atTurnsEnd: setImmediate });
    },
    database: ({ url }) => openPgDatabase({ url, connectionTo }),
    sockets() {
      const requests = undiciUpstream();
      const upgrades = upgradeUpstream(webRandom());
      return { requests, upgrades, leave: () => upgrades.leave(), close: () => requests.close() };
    },
    schedule: cronerSchedule,
    readText: (path) => readFileSync(path, 'utf8'),
    readFolder,
    asset: nodeAsset,
    certificate: readCertificate,
    backups: readBackups,
    parseModel,
    watchText(path, changed) {
      // Polling, because Kubernetes swaps a mounted ConfigMap by symbolic links, which change events miss.
      watchFile(path, { interval: WATCH_MS, persistent: false }, changed);
      return () => {
        unwatchFile(path, changed);
      };
    },
  };
}
