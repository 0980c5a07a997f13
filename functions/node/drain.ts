import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { constants } from 'node:os';
import type { Connections } from './connections.ts';
import { answerUnderWay } from './broken-requests.ts';

/** Requests under way get this long once the server is told to stop; less than Kubernetes' usual 30 s. */
const DRAIN_MS = 25_000;
const SWEEP_MS = 50;

/**
 * Stops a server: it accepts no more and waits for requests under way, 25 s at most. Every answer from now on is the last
 * of its connection, because a client that never pauses would otherwise never be idle.
 */
export function drain(server: Server, connections: Pick<Connections, 'open'>): Promise<void> {
  return new Promise((resolve) => {
    server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => {
      response.shouldKeepAlive = false;
    });
    for (const socket of connections.open()) {
      const answer = answerUnderWay(socket);
      if (answer !== undefined) answer.shouldKeepAlive = false;
      // Opened ahead and never used: to Node it is not idle.
      else if (socket.bytesRead === 0) socket.destroy();
    }
    // Kept-alive connections turn idle one by one as their requests end.
    const sweep = setInterval(() => {
      server.closeIdleConnections();
    }, SWEEP_MS);
    const cut = setTimeout(() => {
      for (const socket of connections.open()) socket.destroy();
    }, DRAIN_MS);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}

const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** npm passes on what the terminal has sent already: only a later signal is meant as another one. */
const AGAIN_MS = 1_000;

/** Calls `stop` at the first signal that asks for an end; at another one the process ends at once. */
export function stopOnSignal(stop: () => Promise<void>): void {
  let stopping = false;
  let meant = false;
  const stopOrEnd = (signal: NodeJS.Signals): void => {
    if (meant) process.exit(128 + constants.signals[signal]);
    if (stopping) return;
    stopping = true;
    setTimeout(() => (meant = true), AGAIN_MS).unref();
    void stop().then(() => process.exit(0));
  };
  for (const signal of STOP_SIGNALS) process.on(signal, stopOrEnd);
}
