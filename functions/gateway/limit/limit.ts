import { Refusal } from '../../../shared/errors.ts';
import { isWithdrawn } from '../../../shared/identity/marks.ts';
import type { Counters, RatePolicy, Taken, TakeRequest } from '../../../shared/ports/counters.ts';
import type { MaybePromise } from '../../../shared/ports/runtime.ts';
import type { Proof } from '../../../shared/proof.ts';
import { invalidToken } from '../authenticate/token.ts';
import { rateHeaders, rateLimited, type RateHeaders } from '../../../shared/edge/quota.ts';
import { addressCaller } from '../../../shared/edge/quota.ts';

/** Proof that the caller was counted, has quota left, and that its token is not withdrawn. `headers` go on any answer. */
export type Admission = Proof<
  { readonly policy: RatePolicy; readonly remaining: number; readonly headers: RateHeaders },
  'limited'
>;

export interface LimitDeps {
  readonly counters: Counters;
}

/** The request to count. */
export interface LimitRequest extends TakeRequest {
  readonly caller: Caller;
  /** The token's `iat`, in milliseconds since the epoch. */
  readonly issuedAt?: number | undefined;
}

const FROM_BEFORE = 'token from before its subject was revoked';

/**
 * Counts one request of `caller`. Throws or rejects with Refusal `rate_limited`, `invalid_token` when the subject is revoked
 * or the token predates that, and as `Counters` when the store is away. Synchronous when the counters are.
 */
export function limit(request: LimitRequest, { counters }: LimitDeps): MaybePromise<Admission> {
  const taken = counters.take(request);
  return taken instanceof Promise ? taken.then((late) => admit(late, request)) : admit(taken, request);
}

/** Concurrent answers of one caller in this process: a quarter of the connections to one target. */
const SHARE = 256;
/** Requests of one caller that may wait for one of its own answers to end, and for how long. */
const MOST_WAITING = 1_024;
const WAIT_MS = 5_000;

/**
 * Concurrent exchanges by caller, so that one caller leaves room for others of its address: the shares of a target's
 * connections (shared/adapters/undici/target.ts) are by address only.
 */
export class UnderWay {
  private readonly counts = new Map<string, number>();
  private readonly waiting = new Map<string, Set<() => void>>();
  private readonly share: number;

  /** `share`: Infinity where a request must not wait for another, on Workers. */
  constructor(share = SHARE) {
    this.share = share;
  }

  /** Each call has its leave(), unless it refuses with `rate_limited`. Waits for no other caller. */
  enter(caller: Caller): MaybePromise<void> {
    const count = this.counts.get(caller) ?? 0;
    if (count >= this.share) return this.wait(caller);
    this.counts.set(caller, count + 1);
  }

  leave(caller: Caller): void {
    if (this.waiting.size > 0) {
      const [next] = this.waiting.get(caller) ?? [];
      if (next !== undefined) {
        next();
        return;
      }
    }
    const left = (this.counts.get(caller) ?? 0) - 1;
    if (left > 0) this.counts.set(caller, left);
    else this.counts.delete(caller);
  }

  private wait(caller: Caller): Promise<void> {
    const waiting = this.waiting.get(caller) ?? new Set();
    this.waiting.set(caller, waiting);
    return new Promise((resolve, reject) => {
      const end = (): void => {
        waiting.delete(give);
        if (waiting.size === 0) this.waiting.delete(caller);
      };
      const give = (): void => {
        clearTimeout(late);
        end();
        resolve();
      };
      const refuse = (): void => {
        end();
        reject(overShare(this.share));
      };
      const late = setTimeout(refuse, waiting.size < MOST_WAITING ? WAIT_MS : 0);
      waiting.add(give);
    });
  }
}

function overShare(share: number): Refusal {
  return new Refusal('rate_limited', `${share} answers under way`, {
    detail: `${share} requests of this caller are being answered, and none of them ended for a while.`,
    headers: { 'Retry-After': '1' },
  });
}

function admit(taken: Taken, { policy, issuedAt }: LimitRequest): Admission {
  // Revocation first: a removed subject learns nothing about its quota, and gets 401 also when over it.
  // The answer is that of any unaccepted token.
  if (isWithdrawn(taken.mark, issuedAt))
    throw invalidToken(taken.mark?.notBefore === Infinity ? 'subject revoked' : FROM_BEFORE);
  if (isWithdrawn(taken.organizationMark, issuedAt)) throw invalidToken('organisation removed');
  if (isWithdrawn(taken.sessionMark, issuedAt)) throw invalidToken('session ended');
  if (!taken.allowed) throw rateLimited(policy, taken);
  return { policy, remaining: taken.remaining, headers: rateHeaders(policy, taken) } as Admission;
}

/** The limited caller: `<issuer name>|<subject>` or `address|<address>`. */
export type Caller = Proof<string, 'caller'>;

/** The principal's caller, or that of the address without a principal. */
export function callerOf(principal: { readonly caller: string } | undefined, address: string): Caller {
  return (principal?.caller ?? addressCaller(address)) as Caller;
}
