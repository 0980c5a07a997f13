import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** Postgres at an address of its own, behind which every piece that is sent to it is counted, whoever sends it. */
export interface CutProxy {
  readonly url: string;
  /** Pieces since `arm`. */
  readonly pieces: number;
  /** Before the `at`th piece from now on is passed on, `strike` is called. */
  arm(at: number, strike: () => void): void;
  /** Resets every connection. */
  cut(): void;
  close(): Promise<void>;
}

export async function cutProxy(target: string): Promise<CutProxy> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  let [pieces, at] = [0, Infinity];
  let strike: () => void = () => undefined;
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => open.delete(socket));
    }
    near.on('data', (piece) => {
      pieces += 1;
      if (pieces === at) strike();
      if (!far.write(piece)) {
        near.pause();
        far.once('drain', () => near.resume());
      }
    });
    far.pipe(near);
    near.on('close', () => far.end());
    far.on('close', () => near.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: own } = server.address() as AddressInfo;
  const cut = (): void => {
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    url: target.replace(new URL(target).host, `127.0.0.1:${own}`),
    get pieces() {
      return pieces;
    },
    arm(next, then) {
      [pieces, at, strike] = [0, next, then];
    },
    cut,
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
