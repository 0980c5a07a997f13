import { CountersUnavailable } from '../errors.ts';
import type { Clock, Counters, Revocations, Taken, TakeRequest } from '../ports.ts';
import { intervalUs } from '../rate.ts';
import { Ledger } from './counters-ledger.ts';

export interface MemoryCountersOptions {
  readonly clock: Clock;
  /** Callers times policies remembered at once; 100,000 by default (some 20 MB). */
  readonly capacity?: number;
}

const FIRST_PRUNE = 1_024;

/**
 * Counters of this process alone, with the arithmetic of counters-script.ts. Synchronous.
 * Throws `CountersUnavailable` for a newcomer when the memory is full of callers at their limit.
 */
export class MemoryCounters implements Counters, Revocations {
  readonly #clock: Clock;
  readonly #ledger: Ledger;
  /** Caller -> end of the mark, in ms since the epoch. Marks only expire: an evicted one would let a revoked caller in. */
  readonly #revoked = new Map<string, number>();
  #pruneAt = FIRST_PRUNE;

  constructor({ clock, capacity = 100_000 }: MemoryCountersOptions) {
    this.#clock = clock;
    this.#ledger = new Ledger(capacity);
  }

  take({ caller, policy }: TakeRequest): Taken {
    const nowMs = this.#clock.now();
    const nowUs = Math.floor(nowMs * 1_000);
    const stepUs = intervalUs(policy);
    const burstUs = stepUs * policy.limit;
    const key = `${policy.name}\n${caller}`;
    const account = this.#ledger.get(key);
    // The upper bound: a clock that was set back must not keep a caller out for longer than one window.
    const tatUs = account === undefined ? nowUs : Math.min(Math.max(account.tatUs, nowUs), nowUs + burstUs);
    const usedUs = tatUs - nowUs;
    const waitUs = usedUs + stepUs - burstUs;
    const allowed = waitUs <= 0;
    const keptUs = allowed ? usedUs + stepUs : usedUs;
    if (account !== undefined) account.tatUs = nowUs + keptUs;
    else if (!this.#ledger.open(key, { tatUs: nowUs + keptUs, intervalUs: stepUs, burstUs }, nowUs)) {
      throw new CountersUnavailable('the counters of this process are full of callers at their limit');
    }
    return {
      allowed,
      remaining: Math.floor((burstUs - keptUs) / stepUs),
      resetMs: Math.ceil(keptUs / 1_000),
      retryAfterMs: allowed ? 0 : Math.ceil(waitUs / 1_000),
      revoked: this.#isMarked(caller, nowMs),
    };
  }

  ping(): void {
    // Always there.
  }

  async revoke(caller: string, seconds: number): Promise<void> {
    const nowMs = this.#clock.now();
    if (this.#revoked.size >= this.#pruneAt) this.#prune(nowMs);
    const endMs = nowMs + seconds * 1_000;
    this.#revoked.set(caller, Math.max(endMs, this.#revoked.get(caller) ?? 0));
  }

  async restore(caller: string): Promise<void> {
    this.#revoked.delete(caller);
  }

  isRevoked(caller: string): boolean {
    return this.#isMarked(caller, this.#clock.now());
  }

  #isMarked(caller: string, nowMs: number): boolean {
    if (this.#revoked.size === 0) return false;
    const endMs = this.#revoked.get(caller);
    return endMs !== undefined && endMs > nowMs;
  }

  #prune(nowMs: number): void {
    for (const [caller, endMs] of this.#revoked) if (endMs <= nowMs) this.#revoked.delete(caller);
    this.#pruneAt = Math.max(FIRST_PRUNE, this.#revoked.size * 2);
  }
}
