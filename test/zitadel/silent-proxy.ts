import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

/** Postgres at an address of its own, which passes nothing on any more once this text was sent to it. */
export interface SilentProxy {
  readonly url: string;
  /** The client has closed its connection. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

export async function silentProxy(target: string, text: string): Promise<SilentProxy> {
  const { host, hostname, port } = new URL(target);
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    far.pipe(near);
    near.on('data', (piece) => {
      if (piece.includes(text)) far.unpipe(near);
      far.write(piece);
    });
    near.on('error', () => undefined);
    near.on('close', () => {
      far.destroy();
      end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: own } = server.address() as AddressInfo;
  return {
    url: target.replace(host, `127.0.0.1:${own}`),
    ended,
    async close() {
      server.close();
      await once(server, 'close');
    },
  };
}
