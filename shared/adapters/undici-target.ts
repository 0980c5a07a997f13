import { isIP, type Socket } from 'node:net';
import { buildConnector, Pool } from 'undici';

// A connection that takes longer will hardly open at all.
const CONNECT_TIMEOUT_MS = 5_000;
const CONNECTIONS_PER_TARGET = 1_024;

/** An answer whose client reads slowly. */
export interface Paused {
  resume(): void;
}

/** One upstream's connections. */
export class UndiciTarget {
  readonly pool: Pool;
  readonly basePath: string;
  /** What the certificate of an https target must name, whatever Host a request carries. */
  readonly servername: string;
  /** Answers that wait for their client. */
  readonly paused = new Set<Paused>();
  /** True while a connection that has ended is read to its end: then nothing may pause. */
  ending = false;

  constructor(base: string) {
    const url = new URL(base);
    this.basePath = url.pathname.replace(/\/+$/, '');
    this.servername = url.hostname.replace(/^\[|\]$/g, '');
    const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS });
    this.pool = new Pool(url.origin, {
      connections: CONNECTIONS_PER_TARGET,
      pipelining: 1,
      connect: (options, callback) => {
        // RFC 6066 §3: an address is no server name; a certificate is then held against the address.
        const named = isIP(this.servername) === 0 ? options : { ...options, servername: '' };
        connect(named, (...outcome) => {
          // By the error: where there is one, undici leaves the socket out altogether.
          if (outcome[0] === null) this.readToItsEnd(outcome[1]);
          callback(...outcome);
        });
      },
    });
  }

  /**
   * undici 7 ends the process when a connection ends while its answer is paused (nodejs/undici#5360, mended in 8, which
   * needs Node 22). Our listener stands before undici's own: what is left, one socket buffer at most, passes first.
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
