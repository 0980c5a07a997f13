import { CountersUnavailable, Refusal } from '../../../shared/errors.ts';
import { isWithdrawn } from '../../../shared/identity/marks.ts';
import type { Counters, RatePolicy, Taken } from '../../../shared/ports/counters.ts';
import type { MaybePromise } from '../../../shared/ports/runtime.ts';
import type { Proof } from '../../../shared/proof.ts';
import { invalidToken } from '../authenticate/token.ts';
import { rateHeaders, rateLimited, type RateHeaders } from '../../../shared/edge/rate-headers.ts';
import { addressCaller } from '../../../shared/edge/address-guard.ts';
import { organizationSubject } from '../../../shared/identity/subjects.ts';
import type { Principal } from '../authenticate/principal.ts';

/** The caller was counted, has quota left, and its token was not withdrawn. `headers` belong on the answer, whatever it becomes. */
export type Admission = Proof<
  { readonly policy: RatePolicy; readonly remaining: number; readonly headers: RateHeaders },
  'limited'
>;

export interface LimitDeps {
  readonly counters: Counters;
}

/** Whose request it is; `issuedAt`: the token's `iat`, in milliseconds since the epoch. */
export interface Asking {
  readonly caller: Caller;
  readonly issuedAt?: number | undefined;
  /** `<issuer name>|org:<id>`, where the token names its organisation. */
  readonly organization?: string | undefined;
}

const FROM_BEFORE = 'token from before its subject was revoked';

/**
 * Counts one request of `caller`. Throws or rejects with Refusal `rate_limited`, `invalid_token` when the subject is revoked
 * or the token is from before it was, and `limiter_unavailable` when the store is away. At once, without a promise, when the
 * counters answer at once.
 */
export function limit(asking: Asking, policy: RatePolicy, deps: LimitDeps): MaybePromise<Admission> {
  try {
    const taken = deps.counters.take({ caller: asking.caller, policy, organization: asking.organization });
    return taken instanceof Promise ? admitLater(taken, policy, asking) : admit(taken, policy, asking);
  } catch (error) {
    throw asRefusal(error);
  }
}

async function admitLater(pending: Promise<Taken>, policy: RatePolicy, asking: Asking): Promise<Admission> {
  try {
    return admit(await pending, policy, asking);
  } catch (error) {
    throw asRefusal(error);
  }
}

/** Answers of one caller under way at a time, in this process: a quarter of the connections to one target. */
const SHARE = 256;
/** Requests of one caller that wait for one of its own answers to end, and for how long. */
const MOST_WAITING = 1_024;
const WAIT_MS = 5_000;

interface Held {
  count: number;
  readonly waiting: Set<() => void>;
}

/**
 * Exchanges under way by caller, so that one caller leaves room for others of its address: the shares of a target's
 * connections (shared/adapters/undici/shares.ts) part addresses only.
 */
export class UnderWay {
  private readonly callers = new Map<string, Held>();
  private readonly share: number;

  /** `share`: Infinity where one request may not wait for another, on Workers. */
  constructor(share = SHARE) {
    this.share = share;
  }

  /** Each call has its leave(), unless it refuses with `rate_limited`. Waits for no other caller. */
  enter(caller: Caller): MaybePromise<void> {
    let held = this.callers.get(caller);
    if (held === undefined) this.callers.set(caller, (held = { count: 0, waiting: new Set() }));
    if (held.count >= this.share) return this.wait(held.waiting);
    held.count += 1;
  }

  leave(caller: Caller): void {
    const held = this.callers.get(caller);
    if (held === undefined) return;
    const [next] = held.waiting;
    if (next !== undefined) next();
    else if (--held.count === 0) this.callers.delete(caller);
  }

  private wait(waiting: Set<() => void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const give = (): void => {
        clearTimeout(late);
        waiting.delete(give);
        resolve();
      };
      const refuse = (): void => {
        waiting.delete(give);
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

function admit(taken: Taken, policy: RatePolicy, { issuedAt }: Asking): Admission {
  // Revoked first: a removed subject learns nothing about its quota, and gets 401 also when over it.
  // The answer is that of any token that is not accepted.
  if (isWithdrawn(taken.mark, issuedAt))
    throw invalidToken(taken.mark?.notBefore === Infinity ? 'subject revoked' : FROM_BEFORE);
  if (isWithdrawn(taken.organizationMark, issuedAt)) throw invalidToken('organisation removed');
  if (!taken.allowed) throw rateLimited(policy, taken);
  return { policy, remaining: taken.remaining, headers: rateHeaders(policy, taken) } as Admission;
}

function asRefusal(error: unknown): unknown {
  if (!(error instanceof CountersUnavailable)) return error;
  return new Refusal('limiter_unavailable', error.message, { cause: error });
}

/** Who is limited: `<issuer name>|<subject>` or `address|<address>`. */
export type Caller = Proof<string, 'caller'>;

/** The principal's own quota, or that of the address when nobody is signed in. */
export function callerOf(principal: { readonly caller: string } | undefined, address: string): Caller {
  return (principal?.caller ?? addressCaller(address)) as Caller;
}

/** What marks call the organisation that a token names, `<issuer name>|org:<id>`; undefined where it names none. */
export function organizationOf(principal: Principal | undefined): string | undefined {
  if (principal?.organization === undefined) return undefined;
  return `${principal.issuerName}|${organizationSubject(principal.organization)}`;
}
