import type { IncomingMessage } from 'node:http';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { getRequestListener } from '@hono/node-server';
import { withEnvFiles } from '../shared/configuration/env-file.ts';
import { createDeps, createPlatform } from '../shared/deps.ts';
import type { Platform } from '../shared/ports/platform.ts';
import type { RawEnvironment } from '../shared/configuration/slice.ts';
import { createApp, type App, type Bundle } from './app.ts';
import { openConfigured, type Config } from './configuration.ts';
import { startSchedule } from './cron/cron.ts';
import { featureSyncAtStart, type FeatureSyncAtStart } from './node/feature-sync.ts';
import { drain, stopOnSignal } from './node/drain.ts';
import { listen, serve, urlOf } from './node/server.ts';

export interface RunningServer {
  readonly url: string;
  /** Stops accepting, lets requests under way finish, then resolves. */
  close(): Promise<void>;
}

/** The configuration cannot be used; every fault is listed. */
export class UnusableConfiguration extends Error {
  override readonly name = 'UnusableConfiguration';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`unusable configuration:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/** Starts the bundle on Node from variables alone. Throws UnusableConfiguration before it listens. */
export async function startServer(variables: RawEnvironment): Promise<RunningServer> {
  const { deps, app, featureSync } = compose(variables);
  const sockets = deps.platform.sockets();
  if (sockets === null) throw new Error('this platform has no sockets');
  const { server, connections } = serve(app.gateway.deps, sockets, deps, answerOwn(app));
  const release = async (): Promise<void> => {
    connections.stop();
    await sockets.close();
    await app.close();
  };
  // Before it, requests would be counted here alone: eight new instances would admit eight quotas.
  await deps.connect();
  // What is open would keep a process that cannot listen from ending.
  await listen(server, deps.config.listen).catch(async (error: unknown) => {
    await release();
    throw error;
  });
  // The first request should not wait for keys; /ready shows a provider that is away.
  deps.platform.background(app.gateway.warm());
  deps.platform.background(featureSync.run());
  const stopSchedule = schedule(app, deps);
  const url = urlOf(server);
  deps.log.info('listening', { url });
  return {
    url,
    async close() {
      stopSchedule();
      featureSync.stop();
      await Promise.all([drain(server, connections), sockets.leave()]);
      await release();
      deps.log.info('stopped');
      deps.log.flush();
    },
  };
}

interface Composed {
  readonly deps: Bundle;
  readonly app: App;
  readonly featureSync: FeatureSyncAtStart;
}

function compose(variables: RawEnvironment): Composed {
  const platform = createPlatform();
  const opened = openConfigured(variables, platform, (config, warnings) => {
    const composed = wire(config, platform);
    for (const { variable, problem } of warnings) composed.deps.log.warn(`${variable} ${problem}`);
    return composed;
  });
  if (!opened.ok) throw new UnusableConfiguration(opened.faults);
  return opened.value;
}

function wire(config: Config, platform: Platform): Composed {
  const deps = createDeps(config, { platform });
  const featureSync = featureSyncAtStart(deps);
  try {
    const app = createApp(deps, (_headers, bindings) => peerOf(bindings), featureSync);
    return { deps, app, featureSync };
  } catch (error) {
    void deps.close();
    throw error;
  }
}

/** Leases live in the database: without one there are no regular jobs. */
function schedule({ cron }: App, { log, platform, clock }: Bundle): () => void {
  if (cron !== null) return startSchedule(cron, platform, clock);
  log.info('no regular jobs: DATABASE_URL is not set');
  return () => undefined;
}

/** The bundle's own routes on Node's request and response. */
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

/**
 * As a program: SIGTERM, SIGINT and SIGHUP end it with 0 once requests under way are through, an unusable configuration with
 * 1, arguments that it does not take with 2.
 */
async function main(args: readonly string[]): Promise<void> {
  try {
    const { variables, files } = withEnvFiles(process.env, envFilesOf(args));
    const server = await startServer(variables).catch((error: unknown) => {
      throw error instanceof UnusableConfiguration
        ? new Error(`${error.message}\n${originOf(files)}`)
        : error;
    });
    stopOnSignal(() => server.close());
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = error instanceof UnknownArguments ? 2 : 1;
  }
}

class UnknownArguments extends Error {
  override readonly name = 'UnknownArguments';
}

function envFilesOf(args: readonly string[]): readonly string[] {
  try {
    const options = { 'env-file': { type: 'string', multiple: true } } as const;
    return parseArgs({ args: [...args], options }).values['env-file'] ?? [];
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('. ')[0] ?? '') : 'unknown arguments';
    throw new UnknownArguments(
      `${why}\nThe one option is --env-file <file>; all else is variables, as in PORT=4000 npm start`,
    );
  }
}

function originOf(files: readonly string[]): string {
  const from = files.length === 0 ? 'alone: there is no .env here' : `and ${files.join(', ')}`;
  return `Variables come from the environment ${from}. Where to write them: docs/configuration.md`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(process.argv.slice(2));
