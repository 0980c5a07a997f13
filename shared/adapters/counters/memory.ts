import { CountersUnavailable } from '../../errors.ts';
import { KnownMarks } from '../../identity/marks.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { Counters, RatePolicy, Taken, TakeRequest } from '../../ports/counters.ts';
import type { Mark, Revocations } from '../../ports/revocations.ts';
import { Account, Ledger } from './ledger.ts';

export interface MemoryCountersOptions {
  readonly clock: Clock;
  /** Callers times policies remembered at once; 100,000 by default (some 30 MB, 150 MB where all are busy). */
  readonly capacity?: number;
}

/**
 * Counters of this process alone, with the arithmetic of script.ts. Synchronous.
 * Throws `CountersUnavailable` for a newcomer when the memory is full of callers at their limit.
 */
export class MemoryCounters implements Counters, Revocations {
  readonly #clock: Clock;
  readonly #ledger: Ledger;
  /** Also those that this process learned from a store it shares with others. */
  readonly marks = new KnownMarks();

  constructor({ clock, capacity = 100_000 }: MemoryCountersOptions) {
    this.#clock = clock;
    this.#ledger = new Ledger(capacity);
  }

  take({ caller, policy, organization }: TakeRequest): Taken {
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
    };
  }

  ping(): void {
    // Always there.
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
