import { stdoutLog } from '../../shared/adapters/node/stdout.ts';
import { prometheusMetrics } from '../../shared/adapters/prometheus/metrics.ts';
import type { ServerConfig } from '../../shared/configuration/server.ts';
import type { Log } from '../../shared/ports/log.ts';
import type { ProcessMetrics } from '../../shared/ports/metrics.ts';

export interface PrimaryDeps {
  readonly log: Log & { flush(): void };
  readonly metrics: ProcessMetrics;
}

/** The composition root of the primary process, which serves no requests: their dependencies would double its memory and its start. */
export function primaryDeps(level: ServerConfig['logLevel']): PrimaryDeps {
  const metrics = prometheusMetrics({ process: true });
  return { metrics, log: stdoutLog(level, metrics, true) };
}
