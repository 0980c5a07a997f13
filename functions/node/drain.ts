import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import { constants } from 'node:os';
import type { Connections } from './connections.ts';
import { answerUnderWay } from './broken-requests.ts';

/** Time for requests in flight once the server stops; less than Kubernetes' usual 30 s. */
export const DRAIN_MS = 25_000;
const SWEEP_MS = 50;

/**
 * Stops a server: it accepts no more and waits for requests in flight, 25 s at most. Every answer from now on is the last
 * of its connection, because a client that never pauses would otherwise never be idle.
 * `lingerMs`: how long idle connections still wait for one more request. A request sent just as its connection is closed is
 * lost; where other processes go on serving there is time to end it by an answer.
 */
export function drain(server: Server, connections: Pick<Connections, 'open'>, lingerMs = 0): Promise<void> {
  return new Promise((resolve) => {
    server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => {
      response.shouldKeepAlive = false;
    });
    for (const socket of connections.open()) {
      const answer = answerUnderWay(socket);
      if (answer !== undefined) answer.shouldKeepAlive = false;
    }
    let sweep: ReturnType<typeof setInterval> | undefined;
    const closeIdle = (): void => {
      // Opened ahead and unused: not idle to Node.
      for (const socket of connections.open())
        if (answerUnderWay(socket) === undefined && socket.bytesRead === 0) socket.destroy();
      server.closeIdleConnections();
      // Kept-alive connections turn idle one by one as their requests end.
      sweep = setInterval(() => {
        server.closeIdleConnections();
      }, SWEEP_MS);
    };
    const cut = setTimeout(() => {
      for (const socket of connections.open()) socket.destroy();
    }, DRAIN_MS);
    const closed = (): void => {
      clearTimeout(linger);
      clearInterval(sweep);
      clearTimeout(cut);
      resolve();
    };
    // http.Server's own method closes idle connections at once.
    if (lingerMs === 0) server.close(closed);
    else NetServer.prototype.close.call(server, closed);
    const linger = setTimeout(closeIdle, lingerMs);
    if (lingerMs === 0) closeIdle();
  });
}

export const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** npm forwards the signal that the terminal has sent already: only a later one counts as another. */
const AGAIN_MS = 1_000;

/** Calls `stop` at the first signal; at another one, after `cut`, the process ends at once. */
export function stopOnSignal(
  stop: () => Promise<void>,
  signals: readonly (typeof STOP_SIGNALS)[number][] = STOP_SIGNALS,
  cut: () => void = () => undefined,
): void {
  let stopping = false;
  let meant = false;
  const stopOrEnd = (signal: NodeJS.Signals): void => {
    if (meant) {
      cut();
      process.exit(128 + constants.signals[signal]);
    }
    if (stopping) return;
    stopping = true;
    setTimeout(() => (meant = true), AGAIN_MS).unref();
    void stop().then(() => process.exit(0));
  };
  for (const signal of signals) process.on(signal, stopOrEnd);
}
