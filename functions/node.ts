import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { constants } from 'node:os';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { getRequestListener } from '@hono/node-server';
import type { Config } from '../shared/config.ts';
import { withEnvFiles } from '../shared/env-file.ts';
import { createDeps, createPlatform, type Deps } from '../shared/deps.ts';
import type { Platform, SocketUpstreams } from '../shared/platform.ts';
import { systemCode } from '../shared/system-errors.ts';
import type { RawEnvironment } from '../shared/variables.ts';
import { createApp, type App } from './app.ts';
import { openConfigured } from './configuration.ts';
import { startSchedule } from './cron/start.ts';
import { gateway } from './gateway/index.ts';
import { inboundOf, nodeTransport } from './gateway/node-transport.ts';
import { MAX_HEAD_BYTES } from './gateway/headers.ts';
import { isOwnPath } from './gateway/rules/own-routes.ts';
import { upgradeTransport } from './gateway/upgrade-transport.ts';
import { answerBrokenRequests, refuseTunnels } from './node-broken-requests.ts';
import { CONNECTION_LIMITS, watchConnections, type Connections } from './node-connections.ts';
import { featureSyncAtStart, type FeatureSyncAtStart } from './node-feature-sync.ts';
import { drain } from './node-drain.ts';
import { asksForWebSocket, ignoreUpgrade } from './node-upgrades.ts';

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

/** Idle clients are kept for longer than load balancers keep theirs (60 or 75 s): they, not the gateway, close first. */
const KEEP_ALIVE_MS = 90_000;

const SERVER_OPTIONS = {
  // Node would refuse a request without Host by itself, and not as a problem+json.
  requireHostHeader: false,
  keepAliveTimeout: KEEP_ALIVE_MS,
  // What the gateway refuses from 16 KiB on, it has to read first to answer with the caller's id and origin.
  maxHeaderSize: 4 * MAX_HEAD_BYTES,
  // Peers that vanished without a word are found out, on WebSockets above all.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
} as const;

/** Starts the bundle on Node from variables alone. Throws UnusableConfiguration before it listens. */
export async function startServer(variables: RawEnvironment): Promise<RunningServer> {
  const { deps, app, featureSync } = compose(variables);
  const sockets = deps.platform.sockets();
  if (sockets === null) throw new Error('this platform has no sockets');
  const { server, connections } = serve(app, sockets, deps);
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
    throw cannotListen(error, deps.config.listen);
  });
  // The first request should not wait for keys; a provider that is away is said in /ready.
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

interface Served {
  readonly server: Server;
  readonly connections: Connections;
}

interface Composed {
  readonly deps: Deps;
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
    const app = createApp(deps, (_request, bindings) => peerOf(bindings), featureSync.checks);
    return { deps, app, featureSync };
  } catch (error) {
    void deps.close();
    throw error;
  }
}

/** Leases live in the database: without one there are no regular jobs. */
function schedule({ cron }: App, { log, platform, clock }: Deps): () => void {
  if (cron !== null) return startSchedule(cron, platform, clock);
  log.info('no regular jobs: DATABASE_URL is not set');
  return () => undefined;
}

/** The bundle's own routes go through Hono; what is to be forwarded keeps its raw bytes. */
function serve({ hono, gateway: own }: App, sockets: SocketUpstreams, deps: Deps): Served {
  const answerOwn = getRequestListener(hono.fetch, {
    overrideGlobalObjects: false,
    // HTTP/1.0 needs no Host, and load balancers' probes send none.
    hostname: 'localhost',
  });
  const server = createServer(SERVER_OPTIONS);
  const connections = watchConnections(server, CONNECTION_LIMITS, { ...deps, cut: cutCounter(deps) });
  const requests = nodeTransport(sockets.requests, (socket) => connections.stalled(socket));
  const upgrades = upgradeTransport(sockets.upgrades);
  const take = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
    const inbound = inboundOf(request);
    if (!isOwnPath(inbound.target) || inbound.fault !== undefined) {
      void gateway(inbound, { request, response, expectsContinue }, requests, own.deps);
      return;
    }
    if (expectsContinue) response.writeContinue();
    void answerOwn(request, response);
  };
  // Every field is read, so that none is dropped unseen; their size is bounded.
  server.maxHeadersCount = 0;
  // A client that closes its own half may still wait for its answer (RFC 9112 §9.6): see node-connections.ts.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on('request', (request, response) => {
    take(request, response, false);
  });
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    take(request, response, true);
  });
  server.on('clientError', answerBrokenRequests(own.deps));
  server.on('connect', refuseTunnels(own.deps));
  // RFC 9110 §10.1.1: an expectation that nobody knows may be ignored.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  server.on('upgrade', (message: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!asksForWebSocket(message)) {
      ignoreUpgrade(server, message, socket, head);
      return;
    }
    // Without a listener a reset connection would end the process.
    socket.on('error', () => socket.destroy());
    void gateway(inboundOf(message), { message, socket, head }, upgrades, own.deps);
  });
  return { server, connections };
}

function cutCounter({ platform }: Deps): (why: string) => void {
  const help = 'Client connections that were cut: stalled, or over the share of one address.';
  return platform.metrics.counter('sallyport_connections_cut_total', help, 'why');
}

function peerOf(bindings: unknown): string {
  const { incoming } = bindings as { readonly incoming: IncomingMessage };
  return incoming.socket.remoteAddress ?? '';
}

function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

const REASONS: Readonly<Record<string, (port: number) => string>> = {
  EADDRINUSE: (port) =>
    `another program listens there: end it (\`lsof -i :${port}\` shows it), or set PORT to a free port, as in PORT=${port + 1}`,
  EACCES: () => 'permission is denied: set PORT to a port above 1023, as in PORT=3000',
  EADDRNOTAVAIL: () => 'this machine has no such address: set HOST to one of its own, as in HOST=0.0.0.0',
  ENOTFOUND: () => 'no such host name: set HOST to an address of this machine, as in HOST=0.0.0.0',
};

function cannotListen(
  error: unknown,
  { host, port }: { readonly host: string; readonly port: number },
): Error {
  const code = systemCode(error) ?? 'unknown error';
  const reason = REASONS[code]?.(port) ?? 'the system refused';
  return new Error(`cannot listen on ${host}:${port}: ${reason} (${code})`, { cause: error });
}

function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no TCP address');
  const { family, port } = address;
  const any = address.address === '0.0.0.0' || address.address === '::';
  const host = any ? '127.0.0.1' : family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${host}:${port}`;
}

const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** npm passes on what the terminal has sent already: only a later signal is meant as another one. */
const AGAIN_MS = 1_000;

/** Calls `stop` at the first signal that asks for an end; at another one the process ends at once. */
function stopOnSignal(stop: () => Promise<void>): void {
  let firstMs: number | undefined;
  const stopOrEnd = (signal: NodeJS.Signals): void => {
    if (firstMs === undefined) {
      firstMs = performance.now();
      void stop().then(() => process.exit(0));
    } else if (performance.now() - firstMs > AGAIN_MS) process.exit(128 + constants.signals[signal]);
  };
  for (const signal of STOP_SIGNALS) process.on(signal, stopOrEnd);
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
