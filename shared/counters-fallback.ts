import { CountersUnavailable } from './errors.ts';
import type { Clock, Counters, Revocations, Taken, TakeRequest } from './ports.ts';

/** RATE_LIMIT_FAILURE: limit by this instance alone, admit everyone, or refuse everyone while the store is away. */
export type FailureMode = 'local' | 'open' | 'closed';

export interface LocalCounters extends Revocations {
  take(request: TakeRequest): Taken;
  isRevoked(caller: string): boolean;
}

export interface FallbackOptions {
  readonly shared: Counters & Revocations;
  /** Counters of this process: they judge in mode `local`, and in every mode remember revocations that were seen. */
  readonly local: LocalCounters;
  readonly mode: FailureMode;
  readonly clock: Clock;
  /** Milliseconds the store is left alone after a failure; then one request tries it again. 1,000 by default. */
  readonly coolDownMs?: number;
  /** Called when the store goes away and when it is back, not once per request. */
  readonly onChange?: (state: CountersState) => void;
}

export type CountersState =
  | { readonly store: 'up' }
  | { readonly store: 'away'; readonly mode: FailureMode; readonly sinceMs: number; readonly reason: string };

const UP: CountersState = { store: 'up' };
/** How long a mark seen in the store holds here: longer than access tokens usually live. */
const REMEMBERED_MARK_SECONDS = 3_600;

/** Counters that do what RATE_LIMIT_FAILURE says while the store is away, without paying its full time-out each time. */
export class FallbackCounters implements Counters, Revocations {
  readonly #options: FallbackOptions;
  readonly #coolDownMs: number;
  #state: CountersState = UP;
  #tryAgainAtMs = 0;

  constructor(options: FallbackOptions) {
    this.#options = options;
    this.#coolDownMs = options.coolDownMs ?? 1_000;
  }

  /** For /ready: as the latest take or ping found it. */
  get state(): CountersState {
    return this.#state;
  }

  async take(request: TakeRequest): Promise<Taken> {
    if (this.#state.store === 'away') {
      const now = this.#options.clock.now();
      if (now < this.#tryAgainAtMs) return this.#withoutStore(request, this.#state.reason);
      // Set before the attempt, so that of all requests at this moment one alone waits for the store.
      this.#tryAgainAtMs = now + this.#coolDownMs;
    }
    try {
      const taken = await this.#options.shared.take(request);
      this.#markUp();
      if (taken.revoked !== this.#options.local.isRevoked(request.caller))
        await this.#remember(request, taken);
      return taken;
    } catch (error) {
      if (!(error instanceof CountersUnavailable)) throw error;
      this.#markAway(error);
      return this.#withoutStore(request, error.message, error);
    }
  }

  /** Asks the store itself, whatever the mode. */
  async ping(): Promise<void> {
    try {
      await this.#options.shared.ping();
      this.#markUp();
    } catch (error) {
      if (error instanceof CountersUnavailable) this.#markAway(error);
      throw error;
    }
  }

  /** Here at once, then in the store; throws `CountersUnavailable` when the others will not know: to be repeated. */
  async revoke(caller: string, seconds: number): Promise<void> {
    await this.#options.local.revoke(caller, seconds);
    await this.#options.shared.revoke(caller, seconds);
  }

  async restore(caller: string): Promise<void> {
    await this.#options.shared.restore(caller);
    await this.#options.local.restore(caller);
  }

  #remember({ caller }: TakeRequest, { revoked }: Taken): Promise<void> {
    const { local } = this.#options;
    return revoked ? local.revoke(caller, REMEMBERED_MARK_SECONDS) : local.restore(caller);
  }

  #withoutStore(request: TakeRequest, reason: string, cause?: unknown): Taken {
    switch (this.#options.mode) {
      case 'closed':
        throw new CountersUnavailable(reason, { cause });
      case 'local':
        return this.#options.local.take(request);
      case 'open':
        return this.#admitUncounted(request);
    }
  }

  #admitUncounted({ caller, policy }: TakeRequest): Taken {
    const revoked = this.#options.local.isRevoked(caller);
    return { allowed: true, remaining: policy.limit, resetMs: 0, retryAfterMs: 0, revoked };
  }

  #markUp(): void {
    if (this.#state.store === 'up') return;
    this.#state = UP;
    this.#options.onChange?.(UP);
  }

  #markAway(error: CountersUnavailable): void {
    const now = this.#options.clock.now();
    this.#tryAgainAtMs = now + this.#coolDownMs;
    if (this.#state.store === 'away') return;
    this.#state = { store: 'away', mode: this.#options.mode, sinceMs: now, reason: error.message };
    this.#options.onChange?.(this.#state);
  }
}
