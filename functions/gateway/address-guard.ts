import { CountersUnavailable, Refusal } from '../../shared/errors.ts';
import type { RatePolicy, Taken, TakeRequest } from '../../shared/ports.ts';
import { callerOf } from './caller.ts';
import { rateLimited } from './rate-headers.ts';

/** Counters of this process: the guard is there to save work, so it must not cost a round trip. */
export interface LocalCounters {
  take(request: TakeRequest): Taken;
}

/** Per address and instance. Coarse: many people may share one address, and their own quotas come after it. */
const ADDRESS_POLICY: RatePolicy = { name: 'address', limit: 6_000, windowMs: 60_000 };

/**
 * Bounds how many unknown tokens one address can make us verify. To be called only when a token is about to be
 * verified, not when it is remembered. Refuses with `rate_limited`, or `limiter_unavailable` when its memory is full.
 */
export function guardAddress(address: string, counters: LocalCounters): void {
  const taken = takeFor(address, counters);
  if (!taken.allowed) throw rateLimited(ADDRESS_POLICY, taken);
}

function takeFor(address: string, counters: LocalCounters): Taken {
  try {
    return counters.take({ caller: callerOf(undefined, address), policy: ADDRESS_POLICY });
  } catch (error) {
    if (!(error instanceof CountersUnavailable)) throw error;
    throw new Refusal('limiter_unavailable', error.message, { cause: error });
  }
}
