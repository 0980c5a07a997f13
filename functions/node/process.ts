import type { IncomingMessage } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { UnusableConfiguration, type RawEnvironment } from '../../shared/configuration/slice.ts';
import { createDeps, createPlatform, type DepsOptions } from '../../shared/deps.ts';
import type { Platform } from '../../shared/ports/platform.ts';
import { createApp, type App, type Bundle } from '../app.ts';
import { openConfigured, type Config } from '../configuration.ts';
import { startSchedule } from '../cron/cron.ts';
import { drain } from './drain.ts';
import { featureSyncAtStart, type FeatureSyncAtStart, type Settled } from './feature-sync.ts';
import { listen, serve, urlOf } from './server.ts';

export interface RunningServer {
  readonly url: string;
  /** Stops accepting, resolves when requests in flight have ended. */
  close(): Promise<void>;
}

/** Starts the bundle on Node from variables alone, in this process. Throws UnusableConfiguration before it listens. */
export async function startServer(variables: RawEnvironment): Promise<RunningServer> {
  const serving = await startProcess(variables, { platform: createPlatform() });
  const { url, log } = serving;
  serving.lead();
  log.info('listening', { url });
  return {
    url,
    async close() {
      await serving.close();
      log.info('stopped');
      log.flush();
    },
  };
}

/** Options of a process that is one of several on its port. */
export interface ProcessOptions extends Pick<DepsOptions, 'onMark'> {
  readonly platform: Platform;
  /** Another process logs the configuration's warnings. */
  readonly quiet?: boolean;
  /** Signing keys of all processes where the configuration has none. */
  readonly ephemeralKeys?: Config['assertion'];
  readonly onFeatureSync?: (settled: Settled) => void;
  readonly onForget?: (user: string) => void;
}

export interface RunningProcess extends Pick<Bundle, 'config' | 'log' | 'learnMark'> {
  readonly url: string;
  readonly featureSync: Pick<FeatureSyncAtStart, 'learn'>;
  /** Invalidates the cache entries of an OpenFGA user, which another process forgot. */
  forget(user: string): void;
  /** Begins the work of one process for the whole instance: regular jobs, and feature sync. */
  lead(): void;
  /** As `close` of RunningServer; `lingerMs`: see drain(). */
  close(lingerMs?: number): Promise<void>;
}

/** Serves; the work of one process for all begins with `lead`. Throws UnusableConfiguration before it listens. */
export async function startProcess(
  variables: RawEnvironment,
  options: ProcessOptions,
): Promise<RunningProcess> {
  const { deps, app, featureSync } = compose(variables, options);
  const sockets = deps.platform.sockets();
  if (sockets === null) throw new Error('this platform has no sockets');
  const { server, connections } = serve(app.gateway.deps, sockets, deps, answerOwn(app));
  const release = async (): Promise<void> => {
    connections.stop();
    await sockets.close();
    await app.close();
  };
  // Without it, requests would be counted here alone: eight new instances would admit eight quotas.
  await deps.connect();
  // Open handles would keep a process that cannot listen from ending.
  await listen(server, deps.config.listen).catch(async (error: unknown) => {
    await release();
    throw error;
  });
  // The first request should not wait for keys; /ready shows a provider that is away.
  deps.platform.background(app.gateway.warm());
  let stopSchedule: (() => void) | undefined;
  return {
    url: urlOf(server),
    config: deps.config,
    log: deps.log,
    learnMark: deps.learnMark,
    featureSync,
    forget(user) {
      app.gateway.forget(user);
    },
    lead() {
      if (stopSchedule !== undefined) return;
      deps.platform.background(featureSync.run());
      stopSchedule = schedule(app, deps);
    },
    async close(lingerMs) {
      stopSchedule?.();
      featureSync.stop();
      await Promise.all([drain(server, connections, lingerMs), sockets.leave()]);
      await release();
    },
  };
}

interface Composed {
  readonly deps: Bundle;
  readonly app: App;
  readonly featureSync: FeatureSyncAtStart;
}

function compose(variables: RawEnvironment, options: ProcessOptions): Composed {
  const muting = options.quiet === true ? muted(options.platform) : undefined;
  const platform = muting?.platform ?? options.platform;
  const opened = openConfigured(variables, platform, (config, warnings) => {
    const composed = wire(config, { ...options, platform });
    for (const { variable, problem } of warnings) composed.deps.log.warn(`${variable} ${problem}`);
    muting?.speak();
    return composed;
  });
  if (!opened.ok) throw new UnusableConfiguration(opened.faults);
  return opened.value;
}

/** A platform whose log drops warnings until `speak` is called. */
function muted(platform: Platform): { readonly platform: Platform; readonly speak: () => void } {
  let speak = (): void => undefined;
  return {
    platform: {
      ...platform,
      log(level) {
        const log = platform.log(level);
        const muted = { ...log, warn: (): void => undefined };
        speak = () => Object.assign(muted, log);
        return muted;
      },
    },
    speak: () => {
      speak();
    },
  };
}

function wire(config: Config, options: ProcessOptions): Composed {
  const { platform, ephemeralKeys, onMark, onFeatureSync, onForget } = options;
  const shared = config.assertion.kind === 'ephemeral' && ephemeralKeys !== undefined;
  const deps = createDeps(shared ? { ...config, assertion: ephemeralKeys } : config, { platform, onMark });
  const featureSync = featureSyncAtStart(deps, onFeatureSync);
  try {
    const app = createApp(deps, (_headers, bindings) => peerOf(bindings), { more: featureSync, onForget });
    return { deps, app, featureSync };
  } catch (error) {
    void deps.close();
    throw error;
  }
}

/** Leases are in the database: without one there are no regular jobs. */
function schedule({ cron }: App, { log, platform, clock }: Bundle): () => void {
  if (cron !== null) return startSchedule(cron, platform, clock);
  log.info('no regular jobs: DATABASE_URL is not set');
  return () => undefined;
}

/** Own routes on Node's request and response. */
function answerOwn({ own }: App) {
  return getRequestListener(own, {
    overrideGlobalObjects: false,
    // HTTP/1.0 needs no Host, and load balancers' probes send none.
    hostname: 'localhost',
  });
}

function peerOf(bindings: unknown): string {
  const { incoming } = bindings as { readonly incoming: IncomingMessage };
  return incoming.socket.remoteAddress ?? '';
}
