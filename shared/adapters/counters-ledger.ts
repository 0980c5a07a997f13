/** What one caller has used of one policy. Times in microseconds since the epoch. */
export interface Account {
  /** Theoretical arrival time: from here on the full quota is there again. */
  tatUs: number;
  readonly intervalUs: number;
  readonly burstUs: number;
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
  open(key: string, account: Account, nowUs: number): boolean {
    if (this.#accounts.size < this.#capacity) this.#sweep(LOOK_WHEN_ROOMY, nowUs);
    else if (!this.#makeRoom(nowUs)) return false;
    this.#accounts.set(key, account);
    return true;
  }

  #makeRoom(nowUs: number): boolean {
    const leastUsed = this.#sweep(LOOK_WHEN_FULL, nowUs);
    if (this.#accounts.size < this.#capacity) return true;
    return leastUsed !== undefined && this.#accounts.delete(leastUsed);
  }

  /** Drops full-again accounts among the next `count`; answers the least used of those left that is not at its limit. */
  #sweep(count: number, nowUs: number): string | undefined {
    let leastUsed: string | undefined;
    let leastShare = Number.POSITIVE_INFINITY;
    for (let looked = 0; looked < count; looked++) {
      const next = this.#advance();
      if (next === undefined) break;
      const [key, account] = next;
      const usedUs = account.tatUs - nowUs;
      if (usedUs <= 0) {
        this.#accounts.delete(key);
        continue;
      }
      const share = usedUs / account.burstUs;
      if (usedUs + account.intervalUs <= account.burstUs && share < leastShare) {
        leastShare = share;
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
