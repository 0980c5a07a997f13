import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../shared/ports/runtime.ts';
import type { Log } from '../../shared/ports/log.ts';
import type { TrustedProxies } from '../../shared/edge/trusted-proxies.ts';
import { network } from '../../shared/edge/quota.ts';
import { answerUnderWay } from './broken-requests.ts';

/** Interval of checks of all connections. */
const SWEEP_MS = 5_000;

export interface ConnectionLimits {
  /** Connections of one address (IPv6: of one /64) at a time; those of trusted proxies are not counted. */
  readonly perAddress: number;
  /** A client that reads none of an answer for this long is cut off. */
  readonly stalledMs: number;
  /** How long an answer may take to begin or go on for a client that closed its own half. */
  readonly halfClosedMs: number;
}

/** Node writes 64 KiB at most at a time: a client that reads slower than 64 KiB in 30 s counts as stalled. */
export const CONNECTION_LIMITS: ConnectionLimits = {
  perAddress: 2_048,
  stalledMs: 30_000,
  halfClosedMs: 1_000,
};

export interface ConnectionDeps {
  readonly proxies: Pick<TrustedProxies, 'trusts'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Counts a cut connection, by reason. */
  readonly cut: (why: 'stalled' | 'over_share') => void;
}

export interface Connections {
  /** All open connections, upgraded ones included. */
  open(): Iterable<Socket>;
  /** Whether it was cut because its client did not read. */
  stalled(socket: Socket): boolean;
  /** Cuts stalled clients; called every five seconds. */
  sweep(): void;
  stop(): void;
}

interface Held {
  readonly network: string;
  /** Bytes that the system has accepted, and since when it accepts no more of the pending ones. */
  taken: number;
  sinceMs: number;
}

/** Bounds the client side of a server: connections per address, and stalled clients. */
export function watchConnections(
  server: Pick<Server, 'prependListener'>,
  limits: ConnectionLimits,
  deps: ConnectionDeps,
): Connections {
  const open = new Map<Socket, Held>();
  const counts = new Map<string, number>();
  const stalled = new WeakSet<Socket>();
  let overShare = 0;
  const hold = (socket: Socket): void => {
    // An ignored upgrade is handed back to the server as a new connection.
    if (open.has(socket)) return;
    const address = socket.remoteAddress ?? '';
    const name = deps.proxies.trusts(address) ? '' : network(address);
    const count = (counts.get(name) ?? 0) + 1;
    if (name !== '' && count > limits.perAddress) {
      overShare += 1;
      deps.cut('over_share');
      socket.destroy();
      return;
    }
    counts.set(name, count);
    open.set(socket, { network: name, taken: 0, sinceMs: 0 });
    socket.once('close', () => {
      open.delete(socket);
      const left = (counts.get(name) ?? 1) - 1;
      if (left > 0) counts.set(name, left);
      else counts.delete(name);
    });
    socket.on('end', () => {
      endHalfClosed(socket, limits.halfClosedMs);
    });
  };
  const sweep = (): void => {
    const now = deps.clock.now();
    let cut = 0;
    for (const [socket, held] of open) {
      if (!isStalled(socket, held, now, limits.stalledMs)) continue;
      cut += 1;
      stalled.add(socket);
      deps.cut('stalled');
      socket.destroy();
    }
    // One line for all: a client that opens thousands must not fill the log as well.
    if (cut + overShare > 0) deps.log.warn('connections cut', { stalled: cut, over_share: overShare });
    overShare = 0;
  };
  server.prependListener('connection', hold);
  const timer = setInterval(sweep, SWEEP_MS).unref();
  return {
    open: () => open.keys(),
    stalled: (socket) => stalled.has(socket),
    sweep,
    stop: () => {
      clearInterval(timer);
    },
  };
}

function isStalled(socket: Socket, held: Held, now: number, stalledMs: number): boolean {
  const taken = socket.bytesWritten - socket.writableLength;
  if (socket.writableLength > 0 && taken === held.taken) return now - held.sinceMs >= stalledMs;
  held.taken = taken;
  held.sinceMs = now;
  return false;
}

/**
 * A client that closes its own half may still wait for its answer, or be gone: TCP shows that only on a write. So prompt
 * answers still pass, and an answer without progress is aborted, with its upstream request.
 */
function endHalfClosed(socket: Socket, patienceMs: number): void {
  if (answerUnderWay(socket) === undefined) return;
  let before = socket.bytesWritten;
  const look = setInterval(() => {
    if (socket.bytesWritten === before && !socket.writableEnded) socket.destroy();
    before = socket.bytesWritten;
  }, patienceMs);
  socket.once('close', () => {
    clearInterval(look);
  });
}
