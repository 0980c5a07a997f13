import type { Duplex } from 'node:stream';
import { FrameBoundaries, goingAway } from '../node/websocket-frames.ts';

export interface PairTimes {
  /** How long a side may stay open after the other one has ended, or after the close frame. */
  readonly closingMs: number;
  /** A side that takes none of its pending bytes for this long is cut off. */
  readonly stalledMs: number;
}

export const PAIR_TIMES: PairTimes = { closingMs: 10_000, stalledMs: 30_000 };

/** One side of a WebSocket, and the bytes it sent before the join. */
export interface Side {
  readonly socket: Duplex;
  readonly head: Buffer;
}

export interface WebSocketPair {
  /** Sends close frames with 1001 and closes both sides. `mask`: four unpredictable bytes (RFC 6455 §5.3). */
  leave(mask: Buffer): void;
}

/** Joins two sides: bytes pass unchanged, the end of one ends both. `closed`: called once both are closed. */
export function pairWebSocket(
  client: Side,
  upstream: Side,
  times: PairTimes,
  closed: () => void,
): WebSocketPair {
  const sockets = [client.socket, upstream.socket];
  let closing: NodeJS.Timeout | undefined;
  const endSoon = (): void => {
    closing ??= setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, times.closingMs);
  };
  const down = new Relay(upstream.socket, client.socket, times.stalledMs, endSoon);
  const up = new Relay(client.socket, upstream.socket, times.stalledMs, endSoon);
  let open = sockets.length;
  for (const socket of sockets)
    socket.once('close', () => {
      if (--open > 0) return;
      clearTimeout(closing);
      closed();
    });
  down.take(upstream.head);
  up.take(client.head);
  return {
    leave(mask) {
      endSoon();
      down.leave(goingAway());
      up.leave(goingAway(mask));
    },
  };
}

/** One direction. */
class Relay {
  private readonly from: Duplex;
  private readonly to: Duplex;
  private readonly stalledMs: number;
  private readonly frames = new FrameBoundaries();
  private stall: NodeJS.Timeout | undefined;
  /** A frame to insert where the current one ends. */
  private goodbye: Buffer | undefined;

  /** `ended`: this direction is over; the other one may still drain. */
  constructor(from: Duplex, to: Duplex, stalledMs: number, ended: () => void) {
    this.from = from;
    this.to = to;
    this.stalledMs = stalledMs;
    from.on('data', (piece: Buffer) => {
      this.take(piece);
    });
    from.on('end', () => {
      to.end();
      ended();
    });
    from.on('error', () => to.destroy());
    from.once('close', () => {
      // Pending bytes still pass; nothing comes back any more.
      to.end();
      ended();
    });
    to.on('drain', () => {
      this.resume();
    });
    to.once('close', () => {
      this.resume();
    });
  }

  take(piece: Buffer): void {
    // After the close frame, incoming bytes are only drained, so that no reset overtakes it.
    if (piece.length === 0 || this.to.writableEnded) return;
    if (this.goodbye !== undefined) {
      const rest = this.frames.toBoundary(piece);
      if (rest > 0) this.to.write(piece.subarray(0, rest));
      this.sayGoodbye();
      return;
    }
    this.frames.pass(piece);
    if (!this.to.write(piece)) this.pause();
  }

  leave(frame: Buffer): void {
    this.goodbye = frame;
    this.resume();
    this.sayGoodbye();
  }

  private sayGoodbye(): void {
    if (this.frames.between && !this.to.writableEnded) this.to.end(this.goodbye);
  }

  private pause(): void {
    this.from.pause();
    this.stall ??= setTimeout(() => this.to.destroy(), this.stalledMs);
  }

  private resume(): void {
    clearTimeout(this.stall);
    this.stall = undefined;
    this.from.resume();
  }
}
