import { hash } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { Platform } from '../platform.ts';
import { webRandom } from '../random.ts';
import { openPgDatabase } from './database-pg.ts';
import { RedisCounters } from './counters-redis.ts';
import { UpstashCounters } from './counters-upstash.ts';
import { jsonLog, logLine } from './log-json.ts';
import { parseModel } from './model-file.ts';
import { connectionTo } from './pg-tls.ts';
import { prometheusMetrics } from './metrics-prometheus.ts';
import { cronerSchedule } from './schedule-croner.ts';
import { stdoutLines } from './stdout.ts';
import { undiciUpstream } from './upstream-undici.ts';
import { upgradeUpstream } from './upstream-upgrade.ts';

const WATCH_MS = 500;

/** Node: one process, many requests, sockets that stay open. */
export function createPlatform(): Platform {
  const metrics = prometheusMetrics({ process: true });
  return {
    runtime: 'node',
    joinsRequests: true,
    // Whoever starts background work handles its failure; this only keeps a slip from ending the process.
    background: (work) => void work.catch(() => undefined),
    digest: (text) => hash('sha256', text, 'base64'),
    conduit: () => new TransformStream(),
    fetch: (url, init) => fetch(url, { redirect: 'manual', ...init }),
    metrics,
    log(level) {
      const lines = stdoutLines({
        onDrop: metrics.counter(
          'sallyport_log_dropped_total',
          'Log lines that found no room: nobody reads stdout.',
        ),
        lost: (count) => logLine('warn', 'log lines dropped', { lines: count }),
      });
      return {
        ...jsonLog(level, (line) => {
          lines.write(line);
        }),
        flush: () => {
          lines.flush();
        },
      };
    },
    counters(config, clock) {
      if (config.kind === 'redis') return new RedisCounters({ url: config.url, clock });
      return config.kind === 'upstash' ? new UpstashCounters(config) : null;
    },
    database: ({ url }) => openPgDatabase({ url, connectionTo }),
    sockets() {
      const requests = undiciUpstream();
      const upgrades = upgradeUpstream(webRandom());
      return { requests, upgrades, leave: () => upgrades.leave(), close: () => requests.close() };
    },
    schedule: cronerSchedule,
    readText: (path) => readFileSync(path, 'utf8'),
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
