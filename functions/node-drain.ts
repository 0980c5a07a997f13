import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { asksForWebSocket } from './node-upgrades.ts';

/** Requests under way get this long once the server is told to stop; less than Kubernetes' usual 30 s. */
const DRAIN_MS = 25_000;
const SWEEP_MS = 50;

/**
 * Watches a server from its start, so that it can be stopped: it stops accepting, waits for requests under way (25 s at
 * most), and then closes upgraded connections, which have no end of their own. Call the result to stop.
 */
export function drainable(server: Server): () => Promise<void> {
  const upgraded = new Set<Duplex>();
  server.on('upgrade', (message, socket: Duplex) => {
    if (!asksForWebSocket(message)) return;
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
  });
  return () =>
    new Promise((resolve) => {
      // Kept-alive connections turn idle one by one as their requests end.
      const sweep = setInterval(() => {
        server.closeIdleConnections();
        closeWhenAlone(server, upgraded);
      }, SWEEP_MS);
      const cut = setTimeout(() => {
        server.closeAllConnections();
        destroyAll(upgraded);
      }, DRAIN_MS);
      server.close(() => {
        clearInterval(sweep);
        clearTimeout(cut);
        resolve();
      });
      server.closeIdleConnections();
    });
}

function closeWhenAlone(server: Server, upgraded: ReadonlySet<Duplex>): void {
  server.getConnections((_error, count) => {
    if (count === upgraded.size) destroyAll(upgraded);
  });
}

function destroyAll(sockets: ReadonlySet<Duplex>): void {
  for (const socket of sockets) socket.destroy();
}
