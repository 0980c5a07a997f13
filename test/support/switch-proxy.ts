import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SwitchProxy {
  readonly url: string;
  /** Path of every request, in order. */
  readonly requests: string[];
  /** `away` cuts each connection, `failing` answers 500, `up` passes on. */
  state: 'up' | 'away' | 'failing';
  close(): Promise<void>;
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
