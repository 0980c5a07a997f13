import { CountersUnavailable, messageOf } from '../../errors.ts';
import type { StoreCommands } from '../../ports/counters.ts';
import { RedisConnection, type RedisConnectionOptions } from './connection.ts';

const READY_MS = 5_000;

/** Single commands to Redis over TCP, for questions that are no counting. The first fault ends it. Node only. */
export function openRedisCommands(options: Pick<RedisConnectionOptions, 'url' | 'clock'>): StoreCommands {
  const faulty = new AbortController();
  const connection = new RedisConnection({
    ...options,
    deadlineMs: READY_MS,
    onFault: (error) => {
      faulty.abort(error);
    },
  });
  return {
    async send(command) {
      try {
        await connection.ready(READY_MS, faulty.signal);
        return await connection.send([...command]);
      } catch (error) {
        const cause: unknown = faulty.signal.aborted ? faulty.signal.reason : error;
        throw new CountersUnavailable(`the counter store: ${reasonOf(cause)}`, { cause });
      }
    },
    close: () => {
      connection.close();
    },
  };
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return messageOf(error);
}
