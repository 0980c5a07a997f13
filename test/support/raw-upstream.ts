import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** A request as its head arrived, the how-manieth of its connection it is, and the connection. */
export interface RawRequest {
  readonly head: string;
  readonly path: string;
  readonly nth: number;
  readonly socket: Socket;
}

export interface RawUpstream {
  readonly url: string;
  /** Of every request, in order: `GET /path #nth`. */
  readonly seen: string[];
  close(): Promise<void>;
}

/** An upstream that writes what it likes, byte by byte: what Node's own server would mend or refuse. Reads no bodies. */
export async function startRawUpstream(answer: (request: RawRequest) => void): Promise<RawUpstream> {
  const seen: string[] = [];
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined).once('close', () => open.delete(socket));
    let text = '';
    let nth = 0;
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (;;) {
        const match = /^([A-Z]+) (\S+) HTTP\/1\.1\r\n[^]*?\r\n\r\n/.exec(text);
        if (match === null) return;
        const [head, method = '', path = ''] = match;
        text = text.slice(head.length);
        nth += 1;
        seen.push(`${method} ${path} #${nth}`);
        answer({ head, path, nth, socket });
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
