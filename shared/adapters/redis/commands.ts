import { CountersUnavailable, messageOf } from '../../errors.ts';
import type { StoreCommands } from '../../ports/counters.ts';
import { RedisConnection, type RedisConnectionOptions } from './connection.ts';

const READY_MS = 5_000;

/** Single commands to Redis over TCP, for questions that are no counting. The first fault ends it. Node only. */
export function openRedisCommands(options: Pick<RedisConnectionOptions, 'url' | 'clock'>): StoreCommands {
  let failed: (error: Error) => void = () => undefined;
  const fault = new Promise<never>((_resolve, reject) => {
    failed = reject;
  });
  // Whoever waits for a command is told; without one there is nobody to tell.
  fault.catch(() => undefined);
  const connection = new RedisConnection({ ...options, deadlineMs: READY_MS, onFault: failed });
  return {
    async send(command) {
      try {
        await Promise.race([connection.ready(READY_MS), fault]);
        return await connection.send([...command]);
      } catch (error) {
        throw new CountersUnavailable(`the counter store: ${reasonOf(error)}`, { cause: error });
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
