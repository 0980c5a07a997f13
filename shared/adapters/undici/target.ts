import type { ServerResponse } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { Pool, buildConnector, type Dispatcher } from 'undici';

// A connection that takes longer will hardly open.
const CONNECT_TIMEOUT_MS = 5_000;
/** Concurrent exchanges; each has a connection of its own while it lasts. */
const CONNECTIONS_PER_TARGET = 1_024;

/** An answer whose client reads slowly. */
export interface Paused {
  resume(): void;
}

/** Heads that their body may still join; the rest is flushed at the end of the turn. */
class Heads {
  private waiting: ServerResponse[] = [];

  add(response: ServerResponse): void {
    if (this.waiting.push(response) === 1) setImmediate(this.send);
  }

  private readonly send = (): void => {
    const { waiting } = this;
    this.waiting = [];
    for (const response of waiting) if (!response.writableEnded) response.flushHeaders();
  };
}

/** One upstream's connections. */
export class UndiciTarget {
  readonly basePath: string;
  /** What the certificate of an https target must name, whatever Host a request carries. */
  readonly servername: string;
  /** Bounds concurrent exchanges, so that the pools need no limit and no queue. */
  readonly shares = new Shares(CONNECTIONS_PER_TARGET);
  readonly heads = new Heads();
  /** Answers that wait for their client. */
  readonly paused = new Set<Paused>();
  /** True while an ended connection is drained: then nothing may pause. */
  ending = false;
  /** True while a request is written to a connection opened for it; false: the connection was idle. */
  opening = false;
  private readonly url: URL;
  private readonly pool: Pool;
  private fresh: Pool | undefined;

  constructor(url: URL) {
    this.url = url;
    this.basePath = url.pathname.replace(/\/+$/, '');
    this.servername = url.hostname.replace(/^\[|\]$/g, '');
    this.pool = this.newPool();
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.pool.dispatch(options, handler);
  }

  /** On a connection used for this request only. */
  dispatchAlone(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.fresh ??= this.newPool();
    this.fresh.dispatch({ ...options, reset: true }, handler);
  }

  async close(): Promise<void> {
    await Promise.all([this.pool.close(), this.fresh?.close()]);
  }

  private newPool(): Pool {
    const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS });
    return new Pool(this.url.origin, {
      pipelining: 1,
      connect: (options, callback) => {
        // RFC 6066 §3: an address is no server name; the certificate is then checked against the address.
        const named = isIP(this.servername) === 0 ? options : { ...options, servername: '' };
        connect(named, (...outcome) => {
          // By the error: with one, undici omits the socket.
          if (outcome[0] === null) this.readToItsEnd(outcome[1]);
          // undici writes the request that waited for this connection before the callback returns.
          this.opening = true;
          callback(...outcome);
          this.opening = false;
        });
      },
    });
  }

  /**
   * undici 7 ends the process when a connection ends while its answer is paused (nodejs/undici#5360, fixed in 8, which
   * needs Node 22). Our listener precedes undici's own: the rest, one socket buffer at most, passes first.
   */
  private readToItsEnd(socket: Socket): void {
    const drain = (): void => {
      this.ending = true;
      for (const passage of this.paused) passage.resume();
      this.paused.clear();
      this.ending = false;
    };
    socket.on('end', drain);
    socket.on('close', drain);
  }
}

/** A request that waits for its share of a target's connections. */
export interface Waiting {
  /** Grants the connection, until `leave`. */
  begin(): void;
}

/**
 * Shares the connections of one target among addresses: an address may hold no more than are still free, so that one
 * alone holds half at most, and one that holds none always gets one while there is any (the dynamic thresholds of shared
 * buffers, Choudhury and Hahne 1998). An address over its share waits, and harms itself alone.
 */
export class Shares {
  private free: number;
  private readonly held = new Map<string, number>();
  /** Round robin: a served address goes to the end. */
  private readonly queues = new Map<string, Set<Waiting>>();

  constructor(capacity: number) {
    this.free = capacity;
  }

  /** True: granted, and `begin` is not called. False: `begin` will be called, unless withdrawn. */
  enter(address: string, who: Waiting): boolean {
    const queue = this.queues.get(address);
    if (queue === undefined && this.grant(address)) return true;
    if (queue === undefined) this.queues.set(address, new Set([who]));
    else queue.add(who);
    return false;
  }

  /** Stops waiting. */
  withdraw(address: string, who: Waiting): void {
    const queue = this.queues.get(address);
    if (queue?.delete(who) === true && queue.size === 0) this.queues.delete(address);
  }

  /** Returns what `enter` or `begin` granted. */
  leave(address: string): void {
    this.free += 1;
    const left = (this.held.get(address) ?? 0) - 1;
    if (left > 0) this.held.set(address, left);
    else this.held.delete(address);
    if (this.queues.size > 0) this.serve();
  }

  private grant(address: string): boolean {
    const own = this.held.get(address) ?? 0;
    if (own >= this.free) return false;
    this.free -= 1;
    this.held.set(address, own + 1);
    return true;
  }

  private serve(): void {
    // Serving moves an address to the end, where the loop would meet it again.
    let turns = this.queues.size;
    for (const [address, queue] of this.queues) {
      if (this.free === 0 || turns-- === 0) return;
      const [first] = queue;
      if (first === undefined || !this.grant(address)) continue;
      this.queues.delete(address);
      queue.delete(first);
      if (queue.size > 0) this.queues.set(address, queue);
      first.begin();
    }
  }
}
