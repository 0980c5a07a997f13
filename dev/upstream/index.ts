import { createServer, type IncomingMessage } from 'node:http';
import { WebSocketServer } from 'ws';
import { listen, LOOPBACK, stop } from '../listen.ts';
import { assertionVerifier } from './assertion.ts';
import { echo, slow, status, stream, type Route } from './routes.ts';

export interface Upstream {
  readonly url: string;
  close(): Promise<void>;
}

export interface UpstreamOptions {
  /** Port 0 = any free one. */
  readonly port?: number;
  /** Where the gateway publishes its assertion keys; absent: assertions are shown but `not checked`. */
  readonly gatewayJwksUrl?: string;
}

const MAX_MESSAGE_BYTES = 1_048_576;

/** The API that the demo protects: it says back what reached it. The special paths answer under any prefix. */
export async function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  const routes = routeTable(echo(assertionVerifier(options.gatewayJwksUrl)));
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://upstream');
    routes(url)(request, response, url).catch(() => {
      response.destroy();
    });
  });
  const sockets = echoSockets();
  server.on('upgrade', (request: IncomingMessage, socket, head) => {
    socket.on('error', () => socket.destroy());
    if (!/\/ws(?:$|\?)/.test(request.url ?? ''))
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
    else
      sockets.handleUpgrade(request, socket, head, (client) => sockets.emit('connection', client, request));
  });
  const url = `http://${LOOPBACK}:${await listen(server, options.port)}`;
  return {
    url,
    close: async () => {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
      await stop(server);
    },
  };
}

function routeTable(otherwise: Route): (url: URL) => Route {
  return ({ pathname }) => {
    if (pathname.endsWith('/stream')) return stream;
    if (pathname.endsWith('/slow')) return slow;
    if (/\/status\/[^/]*$/.test(pathname)) return status;
    return otherwise;
  };
}

/** Sends every message back as it came. */
function echoSockets(): WebSocketServer {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  sockets.on('connection', (client) => {
    client.on('message', (data, isBinary) => {
      client.send(data, { binary: isBinary });
    });
    client.on('error', () => {
      client.terminate();
    });
  });
  return sockets;
}
