import { CountersUnavailable } from '../../errors.ts';
import { RemoteCounters } from '../counters/remote.ts';
import { RedisConnection, type RedisConnectionOptions } from './connection.ts';

/** Counters in Redis 7 or Valkey over TCP. Node only. Connects at once and keeps trying. */
export class RedisCounters extends RemoteCounters {
  readonly #connection: RedisConnection;

  constructor(options: RedisConnectionOptions) {
    const connection = new RedisConnection(options);
    super((command) => connection.send(command), setImmediate);
    this.#connection = connection;
  }

  /** For the start of the process: resolves when connected, throws `CountersUnavailable` after `withinMs`. */
  async ready(withinMs = 1_000): Promise<void> {
    try {
      await this.#connection.ready(withinMs);
    } catch (error) {
      throw new CountersUnavailable('the counter store: not connected', { cause: error });
    }
  }

  connections(): number {
    return this.#connection.opened;
  }

  close(): void {
    this.#connection.close();
  }
}
