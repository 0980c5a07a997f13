import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocketServer } from 'ws';

/** A request as the upstream got it. */
export interface Recorded {
  readonly method: string;
  readonly target: string;
  /** As they came over the wire: case, order and duplicates are kept. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Values of a field, whatever its case. */
  values(name: string): string[];
  /** What has arrived of the body so far. */
  body(): string;
  /** True once all of the request has arrived, whole. */
  complete(): boolean;
  /** Resolves when the connection under it is closed. */
  gone(): Promise<void>;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface EchoUpstream {
  readonly url: string;
  /** In order of arrival. */
  readonly requests: Recorded[];
  /** Answers a path (without query) from now on; any other is answered with an echo. */
  on(path: string, handler: Handler): void;
  /** The next request to arrive. */
  next(): Promise<Recorded>;
  close(): Promise<void>;
}

/** An API that tells what it was sent, and WebSocket clients what they say. */
export async function startEchoUpstream(port = 0): Promise<EchoUpstream> {
  const requests: Recorded[] = [];
  const handlers = new Map<string, Handler>();
  const arrivals = new EventEmitter();
  const note = (incoming: IncomingMessage): Recorded => {
    const recorded = recordOf(incoming);
    requests.push(recorded);
    arrivals.emit('request', recorded);
    return recorded;
  };
  const server = createServer((incoming, outgoing) => {
    // The gateway's own look at its target, behind /ready: what it forwards has an id.
    if (incoming.method === 'HEAD' && incoming.headers['x-request-id'] === undefined) {
      outgoing.end();
      return;
    }
    const recorded = note(incoming);
    const path = recorded.target.split('?')[0] ?? '';
    (handlers.get(path) ?? echo(recorded))(incoming, outgoing);
  });
  const connections = new Set<Socket>();
  server.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (incoming, socket, head) => {
    const recorded = note(incoming);
    if (recorded.target.startsWith('/ws/refused')) {
      socket.end(
        'HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 5\r\nSet-Cookie: a=1\r\n\r\nsorry',
      );
      return;
    }
    if (recorded.target.startsWith('/ws/cut')) {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 50\r\n\r\nhalf');
      return;
    }
    sockets.handleUpgrade(incoming, socket, head, (peer) => {
      peer.on('message', (data, binary) => {
        peer.send(data as Buffer, { binary });
      });
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    on: (path, handler) => void handlers.set(path, handler),
    next: async () => ((await once(arrivals, 'request')) as [Recorded])[0],
    async close() {
      for (const socket of connections) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

function recordOf(incoming: IncomingMessage): Recorded {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.pause();
  const raw = incoming.rawHeaders;
  const headers = Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i]!, raw[2 * i + 1]!] as const);
  return {
    method: incoming.method ?? '',
    target: incoming.url ?? '',
    headers,
    values: (name) => headers.filter(([n]) => n.toLowerCase() === name.toLowerCase()).map(([, v]) => v),
    body: () => Buffer.concat(chunks).toString(),
    complete: () => incoming.complete,
    gone: () =>
      new Promise((resolve) => {
        if (incoming.socket.destroyed) resolve();
        else
          incoming.socket.once('close', () => {
            resolve();
          });
      }),
  };
}

function echo(recorded: Recorded): Handler {
  return (incoming, outgoing) => {
    incoming.on('end', () => {
      const { method, target, headers } = recorded;
      outgoing.setHeader('content-type', 'application/json');
      outgoing.end(JSON.stringify({ method, target, headers, body: recorded.body() }));
    });
    incoming.resume();
  };
}
