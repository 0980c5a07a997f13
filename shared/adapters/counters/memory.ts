import { CountersUnavailable } from '../../errors.ts';
import { KnownMarks } from '../../identity/marks.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { Counters, RatePolicy, TakeRequest, Taken } from '../../ports/counters.ts';
import type { Mark, Revocations } from '../../ports/revocations.ts';
import { grainMs } from '../../counting/rate.ts';

export interface MemoryCountersOptions {
  readonly clock: Clock;
  /** Most accounts (callers times policies); 100,000 by default (some 30 MB, 150 MB where all are busy). */
  readonly capacity?: number;
}

/**
 * Counters of this process alone, with the arithmetic of script.ts. Synchronous.
 * Throws `CountersUnavailable` for a new caller when the memory is full of callers at their limit.
 */
export class MemoryCounters implements Counters, Revocations {
  readonly #clock: Clock;
  readonly #ledger: Ledger;
  /** Includes marks learned from a shared store. */
  readonly marks = new KnownMarks();

  constructor({ clock, capacity = 100_000 }: MemoryCountersOptions) {
    this.#clock = clock;
    this.#ledger = new Ledger(capacity);
  }

  take({ caller, policy, organization, session }: TakeRequest): Taken {
    const now = this.#clock.now();
    const account = this.#ledger.get(caller, policy.name) ?? this.#open(caller, policy, now);
    account.settle(now);
    const allowed = account.take(policy, now);
    return {
      allowed,
      remaining: Math.max(0, policy.limit - account.used),
      resetMs: Math.ceil(account.resetMs(now)),
      retryAfterMs: allowed ? 0 : Math.ceil(account.retryMs(now)),
      mark: this.marks.of(caller, now),
      organizationMark: organization === undefined ? undefined : this.marks.of(organization, now),
      sessionMark: session === undefined ? undefined : this.marks.of(session, now),
    };
  }

  ping(): void {
    // Always available.
  }

  async mark(caller: string, mark: Mark, seconds: number): Promise<void> {
    this.marks.learn(caller, mark, seconds, this.#clock.now());
  }

  #open(caller: string, policy: RatePolicy, now: number): Account {
    const account = new Account(caller, policy);
    if (this.#ledger.open(account, now)) return account;
    throw new CountersUnavailable('the counters of this process are full of callers at their limit');
  }
}

interface Entry {
  /** Admission of its first and last request, in milliseconds since the epoch. */
  readonly first: number;
  last: number;
  count: number;
}

/** The requests of one caller under one policy within its window. */
export class Account {
  readonly caller: string;
  /** The caller's account of another policy. */
  next: Account | undefined;
  #policy: RatePolicy;
  #entries: Entry[] = [];
  #used = 0;

  constructor(caller: string, policy: RatePolicy) {
    this.caller = caller;
    this.#policy = policy;
  }

  /** Name of the policy. */
  get name(): string {
    return this.#policy.name;
  }

  get used(): number {
    return this.#used;
  }

  /** Used share of the quota. */
  get share(): number {
    return this.#used / this.#policy.limit;
  }

  /** Drops requests that have left the window. */
  settle(now: number): void {
    let gone = 0;
    for (const entry of this.#entries) {
      // A clock that was set back must not keep a caller out for longer than one window.
      if (entry.last > now) entry.last = now;
      else if (entry.last <= now - this.#policy.windowMs) {
        gone += 1;
        this.#used -= entry.count;
      }
    }
    if (gone > 0) this.#entries.splice(0, gone);
  }

  /** Counts a request; call settle() first. False when the quota is used up. */
  take(policy: RatePolicy, now: number): boolean {
    this.#policy = policy;
    if (this.#used >= policy.limit) return false;
    const newest = this.#entries.at(-1);
    if (newest === undefined || now - newest.first > grainMs(policy))
      this.#entries.push({ first: now, last: now, count: 1 });
    else {
      newest.last = now;
      newest.count += 1;
    }
    this.#used += 1;
    return true;
  }

  /** Milliseconds until all requests have left the window. */
  resetMs(now: number): number {
    const newest = this.#entries.at(-1);
    return newest === undefined ? 0 : newest.last + this.#policy.windowMs - now;
  }

  /** Milliseconds until one more is admitted. */
  retryMs(now: number): number {
    let left = this.#used;
    for (const { last, count } of this.#entries) {
      left -= count;
      if (left < this.#policy.limit) return last + this.#policy.windowMs - now;
    }
    return 0;
  }
}

const LOOK_WHEN_ROOMY = 2;
const LOOK_WHEN_FULL = 64;

/**
 * Accounts by caller and policy, at most `capacity`. Each new one checks a few others and drops those whose quota is full
 * again. When a full ledger has none, the least used one is evicted; one at its limit never is, because that would grant it
 * a new quota.
 */
export class Ledger {
  /** Each caller's first account: a key of caller and policy would be built, and hashed, with every request. */
  readonly #callers = new Map<string, Account>();
  readonly #capacity: number;
  #size = 0;
  #hand = this.#callers.values();
  /** The hand's account. */
  #at: Account | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#size;
  }

  get(caller: string, policy: string): Account | undefined {
    let account = this.#callers.get(caller);
    while (account !== undefined && account.name !== policy) account = account.next;
    return account;
  }

  /** False when every checked account is at its limit: nothing was stored. */
  open(account: Account, now: number): boolean {
    if (this.#size < this.#capacity) this.#sweep(LOOK_WHEN_ROOMY, now);
    else if (!this.#makeRoom(now)) return false;
    account.next = this.#callers.get(account.caller);
    this.#callers.set(account.caller, account);
    this.#size += 1;
    return true;
  }

  #makeRoom(now: number): boolean {
    const leastUsed = this.#sweep(LOOK_WHEN_FULL, now);
    if (this.#size < this.#capacity) return true;
    if (leastUsed === undefined) return false;
    this.#close(leastUsed);
    return true;
  }

  /** Drops full-again accounts among the next `count`; returns the least used of those left that is not at its limit. */
  #sweep(count: number, now: number): Account | undefined {
    let leastUsed: Account | undefined;
    let leastShare = 1;
    for (let looked = 0; looked < count; looked++) {
      const account = this.#advance();
      if (account === undefined) break;
      account.settle(now);
      if (account.used === 0) this.#close(account);
      else if (account.share < leastShare) {
        leastShare = account.share;
        leastUsed = account;
      }
    }
    return leastUsed;
  }

  #advance(): Account | undefined {
    this.#at = this.#at?.next ?? this.#nextCaller();
    return this.#at;
  }

  #nextCaller(): Account | undefined {
    const next = this.#hand.next();
    if (next.done !== true) return next.value;
    this.#hand = this.#callers.values();
    const first = this.#hand.next();
    return first.done === true ? undefined : first.value;
  }

  #close(account: Account): void {
    const { caller, next } = account;
    let before = this.#callers.get(caller);
    if (before === account) {
      if (next === undefined) this.#callers.delete(caller);
      else this.#callers.set(caller, next);
    } else {
      while (before !== undefined && before.next !== account) before = before.next;
      if (before !== undefined) before.next = next;
    }
    // The hand may be here, and then continues with the next caller: the following account may be closed before that.
    account.next = undefined;
    this.#size -= 1;
  }
}
