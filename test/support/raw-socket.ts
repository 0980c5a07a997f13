import { connect, type Socket } from 'node:net';

/** A watchdog: no loaded machine takes as long. */
const PATIENCE_MS = 300_000;

/** A TCP connection that sends exactly the bytes it is given. */
export interface RawSocket {
  readonly socket: Socket;
  send(bytes: string | Buffer): void;
  /** Everything received so far, as Latin-1: one character per byte. */
  received(): string;
  /** Resolves once the bytes received match; rejects when the connection ends before. */
  until(pattern: RegExp): Promise<string>;
  /** Resolves to all that was received when the other side closes the connection. */
  readonly closed: Promise<string>;
  destroy(): void;
}

export function openRaw(url: string): RawSocket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let text = '';
  // A reset is an end like any other here.
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    socket.emit('received');
  });
  const closed = new Promise<string>((resolve) => {
    socket.once('close', () => {
      resolve(text);
    });
  });
  return {
    socket,
    send: (bytes) => void socket.write(bytes),
    received: () => text,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const settle = (done: () => void): void => {
          socket.off('received', look);
          clearTimeout(timer);
          done();
        };
        const look = (): void => {
          if (pattern.test(text))
            settle(() => {
              resolve(text);
            });
        };
        const fail = (why: string) => (): void => {
          settle(() => {
            reject(new Error(`${why} ${pattern.source}: ${JSON.stringify(text)}`));
          });
        };
        const timer = setTimeout(fail('not received in time:'), PATIENCE_MS);
        socket.on('received', look);
        look();
        void closed.then(fail('closed before'));
      }),
    closed,
    destroy: () => void socket.destroy(),
  };
}

/** Sends the bytes and, once the first answer begins, no more; gives everything that comes back until the end. */
export async function exchange(url: string, bytes: string | Buffer): Promise<string> {
  const raw = openRaw(url);
  raw.send(bytes);
  // Earlier, the half-closed connection would pass for a client that went away.
  await raw.until(/\r\n\r\n/).catch(() => undefined);
  raw.socket.end();
  return raw.closed;
}
