import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Every part of the demo listens here and nowhere else. */
export const LOOPBACK = '127.0.0.1';

/** Is thrown when the wanted port belongs to another process; the message says what to do. */
export class PortBusy extends Error {
  override readonly name = 'PortBusy';

  constructor(port: number) {
    super(
      `Port ${port} is in use. Stop the program that listens there (lsof -i :${port} shows it) ` +
        `or choose another: npm run demo -- --port ${port + 1}`,
    );
  }
}

/** Listens on loopback; port 0 = any free one. Resolves to the port. */
export async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new PortBusy(port) : error);
    });
    server.listen(port, LOOPBACK, resolve);
  });
  return portOf(server.address());
}

/** Stops listening and cuts what is still open, so that no socket keeps the process alive. */
export async function stop(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  server.closeAllConnections();
  await closed;
}

/** A port for a server that must know its own URL before it starts. Port 0 = any free one. */
export async function reservePort(port: number): Promise<number> {
  const probe = createServer();
  const found = await listen(probe, port);
  await stop(probe);
  return found;
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('The server has no TCP address');
  return address.port;
}
