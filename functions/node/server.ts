import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Deps } from '../../shared/deps.ts';
import type { SocketUpstreams } from '../../shared/ports/platform.ts';
import { systemCode } from '../../shared/system-errors.ts';
import { isHost, MAX_HEAD_BYTES } from '../gateway/read/headers.ts';
import { gateway, type GatewayDeps } from '../gateway/pipeline.ts';
import { inboundOf, nodeTransport, upgradeTransport } from '../gateway/node/transport.ts';
import type { Inbound } from '../gateway/read/request.ts';
import { answerBrokenRequests, refuseTunnels } from './broken-requests.ts';
import { CONNECTION_LIMITS, watchConnections, type Connections } from './connections.ts';
import { afterEarlierAnswers, asksForWebSocket, ignoreUpgrade } from './upgrades.ts';

/** Idle connections outlive those of load balancers (60 or 75 s): they, not the gateway, close first. */
const KEEP_ALIVE_MS = 90_000;

const SERVER_OPTIONS = {
  // Otherwise Node refuses a request without Host, and not as a problem+json.
  requireHostHeader: false,
  keepAliveTimeout: KEEP_ALIVE_MS,
  // The gateway refuses heads over 16 KiB, but must read them to answer with the caller's id and origin.
  maxHeaderSize: 4 * MAX_HEAD_BYTES,
  // Detects vanished peers, above all on WebSockets.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
} as const;

export interface Served {
  readonly server: Server;
  readonly connections: Connections;
}

/** Own routes go to `answerOwn`; forwarded requests keep their raw bytes. */
export function serve(
  own: GatewayDeps,
  sockets: SocketUpstreams,
  deps: Pick<Deps, 'platform' | 'proxies' | 'clock' | 'log'>,
  answerOwn: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Served {
  const server = createServer(SERVER_OPTIONS);
  const connections = watchConnections(server, CONNECTION_LIMITS, { ...deps, cut: cutCounter(deps) });
  const requests = nodeTransport(sockets.requests, (socket) => connections.stalled(socket));
  const upgrades = upgradeTransport(sockets.upgrades);
  const take = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
    const inbound = inboundOf(request);
    if (!own.ownPaths.has(inbound.target) || !isReadable(inbound, request)) {
      void gateway(inbound, { request, response, expectsContinue }, requests, own);
      return;
    }
    if (expectsContinue) response.writeContinue();
    void answerOwn(request, response);
  };
  // No limit on the number of fields, so that none is dropped; their size is bounded.
  server.maxHeadersCount = 0;
  // A client that closes its own half may still wait for its answer (RFC 9112 §9.6): see connections.ts.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on('request', (request, response) => {
    take(request, response, false);
  });
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    take(request, response, true);
  });
  server.on('clientError', answerBrokenRequests(own));
  const refuseTunnel = refuseTunnels(own);
  server.on('connect', (message: IncomingMessage, socket: Duplex) => {
    afterEarlierAnswers(socket, () => {
      refuseTunnel(message, socket);
    });
  });
  // RFC 9110 §10.1.1: an unknown expectation may be ignored.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  server.on('upgrade', (message: IncomingMessage, socket: Duplex, head: Buffer) => {
    afterEarlierAnswers(socket, () => {
      if (!asksForWebSocket(message, own.ownPaths)) {
        ignoreUpgrade(server, message, socket, head);
        return;
      }
      // Without a listener a reset connection would end the process.
      socket.on('error', () => socket.destroy());
      void gateway(inboundOf(message), { message, socket, head }, upgrades, own);
    });
  });
  return { server, connections };
}

/** False for a malformed Host, with which no web Request can be made: the gateway refuses it. */
function isReadable({ fault }: Inbound, { headers }: IncomingMessage): boolean {
  return fault === undefined && isHost(headers.host ?? '');
}

function cutCounter({ platform }: Pick<Deps, 'platform'>): (why: string) => void {
  const help = 'Client connections that were cut: stalled, or over the share of one address.';
  return platform.metrics.counter('sallyport_connections_cut_total', help, 'why');
}

export function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      reject(cannotListen(error, { host, port }));
    };
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
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

/** Where it listens. */
export function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no TCP address');
  const { family, port } = address;
  const any = address.address === '0.0.0.0' || address.address === '::';
  const host = any ? '127.0.0.1' : family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${host}:${port}`;
}
