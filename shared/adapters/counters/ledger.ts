import type { RatePolicy } from '../../ports/counters.ts';
import { grainMs } from '../../counting/rate.ts';

interface Entry {
  /** When its first and its last request were admitted, in milliseconds since the epoch. */
  readonly first: number;
  last: number;
  count: number;
}

/** The requests of one caller under one policy that are still in its window. */
export class Account {
  #policy: RatePolicy;
  #entries: Entry[] = [];
  #used = 0;

  constructor(policy: RatePolicy) {
    this.#policy = policy;
  }

  get used(): number {
    return this.#used;
  }

  /** Share of the quota that is used up. */
  get share(): number {
    return this.#used / this.#policy.limit;
  }

  /** Drops what has left the window. */
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

  /** After settle(). False when the quota is used up. */
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

  /** Milliseconds until all have left the window. */
  resetMs(now: number): number {
    const newest = this.#entries.at(-1);
    return newest === undefined ? 0 : newest.last + this.#policy.windowMs - now;
  }

  /** Milliseconds until there is room for one more. */
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
 * Accounts by key, at most `capacity`. Each newcomer looks at a few others and drops those whose quota is full again.
 * When none is found in a full ledger, the one that has used the least makes room; one that is at its limit never
 * does, because dropping it would hand it a new quota.
 */
export class Ledger {
  readonly #accounts = new Map<string, Account>();
  readonly #capacity: number;
  #hand = this.#accounts.entries();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#accounts.size;
  }

  get(key: string): Account | undefined {
    return this.#accounts.get(key);
  }

  /** False when every account looked at is at its limit: nothing was stored. */
  open(key: string, account: Account, now: number): boolean {
    if (this.#accounts.size < this.#capacity) this.#sweep(LOOK_WHEN_ROOMY, now);
    else if (!this.#makeRoom(now)) return false;
    this.#accounts.set(key, account);
    return true;
  }

  #makeRoom(now: number): boolean {
    const leastUsed = this.#sweep(LOOK_WHEN_FULL, now);
    if (this.#accounts.size < this.#capacity) return true;
    return leastUsed !== undefined && this.#accounts.delete(leastUsed);
  }

  /** Drops full-again accounts among the next `count`; answers the least used of those left that is not at its limit. */
  #sweep(count: number, now: number): string | undefined {
    let leastUsed: string | undefined;
    let leastShare = 1;
    for (let looked = 0; looked < count; looked++) {
      const next = this.#advance();
      if (next === undefined) break;
      const [key, account] = next;
      account.settle(now);
      if (account.used === 0) this.#accounts.delete(key);
      else if (account.share < leastShare) {
        leastShare = account.share;
        leastUsed = key;
      }
    }
    return leastUsed;
  }

  #advance(): [string, Account] | undefined {
    const next = this.#hand.next();
    if (next.done !== true) return next.value;
    this.#hand = this.#accounts.entries();
    const first = this.#hand.next();
    return first.done === true ? undefined : first.value;
  }
}
