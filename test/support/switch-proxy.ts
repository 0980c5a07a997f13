import { once } from 'node:events';
import { Agent, createServer, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SwitchProxy {
  readonly url: string;
  /** Path of every request, in order. */
  readonly requests: string[];
  /**
   * `away` cuts each connection, `failing` answers 500, `up` passes on; `dripping` sends a head, and then a space ten times a
   * second for ever; `moved` sends elsewhere, where all is allowed; `other` is a web server that answers 200 to everything.
   */
  state: 'up' | 'away' | 'failing' | 'dripping' | 'moved' | 'other';
  /** Questions that came where `moved` sends them. */
  readonly elsewhere: () => number;
  close(): Promise<void>;
}

const ELSEWHERE = '/elsewhere';
const JSON_TYPE = { 'content-type': 'application/json' };

function pretend({ state, url }: SwitchProxy, path: string, answer: ServerResponse): void {
  if (path.startsWith(ELSEWHERE)) answer.writeHead(200, JSON_TYPE).end('{"allowed":true}');
  else if (state === 'moved') answer.writeHead(307, { location: `${url}${ELSEWHERE}${path}` }).end();
  else if (state === 'other') answer.writeHead(200, { 'content-type': 'text/html' }).end('<p>Welcome</p>');
  else {
    answer.writeHead(200, JSON_TYPE);
    const timer = setInterval(() => answer.write(' '), 100);
    answer.on('close', () => {
      clearInterval(timer);
    });
  }
}

/** Stands in front of a service: counts round trips to it, and takes it away on demand. */
export async function startSwitchProxy(target: string): Promise<SwitchProxy> {
  const agent = new Agent({ keepAlive: true });
  const { hostname, port } = new URL(target);
  const server = createServer((incoming, outgoing) => {
    proxy.requests.push(incoming.url ?? '');
    if (proxy.state === 'away') {
      incoming.socket.destroy();
      return;
    }
    if (proxy.state === 'failing') {
      outgoing.writeHead(500, { 'content-type': 'application/json' }).end('{"code":"internal_error"}');
      return;
    }
    if (proxy.state !== 'up') {
      incoming.resume();
      pretend(proxy, incoming.url ?? '', outgoing);
      return;
    }
    const { method = 'GET', url: path = '/', headers } = incoming;
    const call = request({ agent, hostname, port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    call.on('error', () => incoming.socket.destroy());
    incoming.pipe(call);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: SwitchProxy = {
    elsewhere: () => proxy.requests.filter((path) => path.startsWith(ELSEWHERE)).length,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    state: 'up',
    async close() {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return proxy;
}
