import { Redis } from '@upstash/redis/cloudflare';
import { RemoteCounters, type AtTurnsEnd } from '../counters/remote.ts';

export interface UpstashCountersOptions {
  /** UPSTASH_REDIS_REST_URL */
  readonly url: string;
  /** UPSTASH_REDIS_REST_TOKEN */
  readonly token: string;
  /** Milliseconds for one call, including its answer; 1,000 by default. */
  readonly deadlineMs?: number;
  /** Absent: each take is a call of its own. */
  readonly atTurnsEnd?: AtTurnsEnd;
}

/**
 * Counters in Upstash over its REST interface: Workers and Node. The SDK calls the global fetch, which is not injectable;
 * it holds no connection or promise between requests.
 */
export class UpstashCounters extends RemoteCounters {
  constructor({ url, token, deadlineMs = 1_000, atTurnsEnd }: UpstashCountersOptions) {
    const redis = new Redis({
      url,
      token,
      // A retried take could count twice. Not `retry: false`, with which the SDK still retries once.
      retry: { retries: 0 },
      // A function, because an aborted plain signal makes the SDK answer 'Aborted' as if it were the result.
      signal: () => AbortSignal.timeout(deadlineMs),
      automaticDeserialization: false,
      readYourWrites: false,
      enableTelemetry: false,
    });
    super((command) => redis.exec(command), atTurnsEnd);
  }
}
