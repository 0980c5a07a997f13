import { createClient } from 'redis';
import type { Clock } from '../../ports/runtime.ts';

export interface RedisConnectionOptions {
  /** redis:// or rediss://, with credentials where the store requires them. */
  readonly url: string;
  readonly clock: Clock;
  /** Milliseconds one command may take; 250 by default. */
  readonly deadlineMs?: number;
  /** Called with each fault of the connection, for a log at debug level. */
  readonly onFault?: (error: Error) => void;
}

const CONNECT_TIMEOUT_MS = 1_000;
const MAX_BACKOFF_MS = 500;
/** Longer than one connection attempt and its pause, so that silence means a stuck peer. */
const SILENCE_MS = 2_000;
const MAX_PENDING = 10_000;

interface Client {
  readonly redis: ReturnType<typeof clientFor>;
  /** Destroys the client, and its socket if that is still opening. */
  discard(): void;
}

/**
 * One connection that answers or rejects within its deadline, and reconnects. Node only.
 * node-redis bounds neither a written command nor a handshake without a reply (a peer that vanished without closing), so a
 * client that is silent for too long is replaced.
 */
export class RedisConnection {
  readonly #options: RedisConnectionOptions;
  #client: Client;
  #lastSignMs = 0;
  #opened = 0;
  #closed = false;

  constructor(options: RedisConnectionOptions) {
    this.#options = options;
    this.#client = this.#open();
  }

  /** Connections opened so far. */
  get opened(): number {
    return this.#opened;
  }

  /** Rejects at once while not connected. */
  send(command: string[]): Promise<unknown> {
    const client = this.#client;
    if (!client.redis.isReady) {
      this.#replaceIfSilent(client);
      return Promise.reject(new Error('not connected'));
    }
    return new Promise((resolve, reject) => {
      const stop = deadline(this.#options.deadlineMs ?? 250, (error) => {
        this.#replaceIfSilent(client);
        reject(error);
      });
      client.redis.sendCommand(command).then(
        (reply) => {
          stop();
          this.#lastSignMs = this.#options.clock.now();
          resolve(reply);
        },
        (error: unknown) => {
          stop();
          reject(error instanceof Error ? error : new Error('unknown fault'));
        },
      );
    });
  }

  /** Resolves when connected, rejects after `withinMs` or with `signal`; attempts go on either way. */
  async ready(withinMs: number, signal?: AbortSignal): Promise<void> {
    const { redis } = this.#client;
    if (redis.isReady) return;
    await new Promise<void>((resolve, reject) => {
      const stop = deadline(withinMs, reject);
      signal?.addEventListener('abort', () => {
        stop();
        reject(new Error('not waited for any longer', { cause: signal.reason }));
      });
      redis.once('ready', () => {
        stop();
        resolve();
      });
    });
  }

  close(): void {
    this.#closed = true;
    this.#client.discard();
  }

  #open(): Client {
    const opening = new AbortController();
    const redis = clientFor(this.#options.url, opening.signal);
    const alive = () => {
      this.#lastSignMs = this.#options.clock.now();
    };
    alive();
    redis.on('ready', () => {
      this.#opened += 1;
      alive();
    });
    redis.on('reconnecting', alive);
    // Without a listener an 'error' event would end the process.
    redis.on('error', (error: Error) => {
      alive();
      this.#options.onFault?.(error);
    });
    // Rejects only when closed: the strategy never gives up.
    redis.connect().catch(() => undefined);
    return {
      redis,
      discard() {
        redis.destroy();
        // node-redis would keep a socket that opens only now, and so the process alive.
        opening.abort();
      },
    };
  }

  #replaceIfSilent(client: Client): void {
    // Of many commands that miss their deadline together, only the first still finds its client.
    if (this.#closed || client !== this.#client) return;
    if (this.#options.clock.now() - this.#lastSignMs < SILENCE_MS) return;
    this.#client = this.#open();
    client.discard();
  }
}

function clientFor(url: string, signal: AbortSignal) {
  // The URL holds a password, and the fault of a bad URL would quote it.
  if (!URL.canParse(url)) throw new Error('REDIS_URL is not a URL');
  return createClient({
    url,
    RESP: 2,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    commandsQueueMaxLength: MAX_PENDING,
    // Its own makes an AbortSignal per command, which fires five seconds later whatever the result.
    commandOptions: { timeout: 0 },
    socket: {
      signal,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectStrategy: (retries) => Math.min(25 * 2 ** Math.min(retries, 10), MAX_BACKOFF_MS),
    },
  });
}

/** Returns the stop function. */
function deadline(ms: number, exceeded: (error: Error) => void): () => void {
  const expire = (): void => {
    exceeded(new Error(`no answer within ${ms} ms`));
  };
  // Timers run before sockets are read: after a long stall of this process the answer may have arrived unread.
  let last: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    last = setImmediate(expire);
  }, ms);
  return () => {
    clearTimeout(timer);
    clearImmediate(last);
  };
}
