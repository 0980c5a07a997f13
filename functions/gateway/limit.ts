import { CountersUnavailable, Refusal } from '../../shared/errors.ts';
import type { Counters, MaybePromise, RatePolicy, Taken } from '../../shared/ports.ts';
import type { Proof } from '../../shared/proof.ts';
import type { Caller } from './caller.ts';
import { rateHeaders, rateLimited, type RateHeaders } from '../../shared/edge/rate-headers.ts';

/** The caller was counted, has quota left and is not revoked. `headers` belong on the answer, whatever it becomes. */
export type Admission = Proof<
  { readonly policy: RatePolicy; readonly remaining: number; readonly headers: RateHeaders },
  'limited'
>;

export interface LimitDeps {
  readonly counters: Counters;
}

/**
 * Counts one request of `caller`. Refuses with `rate_limited`, with `invalid_token` when the subject was revoked,
 * with `limiter_unavailable` when the store is away. Answers at once when the counters do.
 */
export function limit(caller: Caller, policy: RatePolicy, deps: LimitDeps): MaybePromise<Admission> {
  try {
    const taken = deps.counters.take({ caller, policy });
    return taken instanceof Promise ? admitLater(taken, policy) : admit(taken, policy);
  } catch (error) {
    throw asRefusal(error);
  }
}

async function admitLater(pending: Promise<Taken>, policy: RatePolicy): Promise<Admission> {
  try {
    return admit(await pending, policy);
  } catch (error) {
    throw asRefusal(error);
  }
}

function admit(taken: Taken, policy: RatePolicy): Admission {
  // Revoked first: a removed subject learns nothing about its quota, and gets 401 also when over it.
  if (taken.revoked) {
    throw new Refusal('invalid_token', 'subject revoked', {
      headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
    });
  }
  if (!taken.allowed) throw rateLimited(policy, taken);
  return { policy, remaining: taken.remaining, headers: rateHeaders(policy, taken) } as Admission;
}

function asRefusal(error: unknown): unknown {
  if (!(error instanceof CountersUnavailable)) return error;
  return new Refusal('limiter_unavailable', error.message, { cause: error });
}
