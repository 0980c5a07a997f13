import { ProviderUnavailable } from '../errors.ts';
import type { Background, Clock, MaybePromise } from '../ports/runtime.ts';
import type { Log } from '../ports/log.ts';
import type { Collapse } from './in-flight.ts';

/** Ages in milliseconds. */
export interface RefreshPolicy {
  /** From this age on the value is renewed in the background. */
  readonly softMs: number;
  /** From this age on the value is renewed before it is used. */
  readonly hardMs: number;
  /** Up to this age the value serves on while renewing fails. */
  readonly staleMs: number;
}

/** Pause after a failed attempt. */
const FAILURE_COOLDOWN_MS = 5_000;
/** While a failure is younger than this, no request waits for the next attempt: an outage adds no latency. */
const OUTAGE_MS = 30_000;

export interface RefreshState {
  readonly state: 'fresh' | 'stale' | 'none';
  readonly ageSeconds: number | null;
  readonly lastError?: string;
}

export interface RefreshDeps {
  readonly clock: Clock;
  readonly background: Background;
  readonly collapse: Collapse;
  readonly log: Log;
}

/** A value from elsewhere that is renewed as it ages. It keeps values only, so isolates may share it between requests. */
export class Refreshed<T> {
  readonly #attempt: (key: string) => Promise<T>;
  readonly #policy: RefreshPolicy;
  readonly #deps: RefreshDeps;
  #held: { readonly value: T; readonly at: number; readonly attempt: number } | undefined;
  #attempts = 0;
  #failure: { readonly error: ProviderUnavailable; readonly at: number } | undefined;
  #backgroundAt = -Infinity;

  /** `load` gets the value held so far; its failures count as the provider being away. */
  constructor(load: (held: T | undefined) => Promise<T>, policy: RefreshPolicy, deps: RefreshDeps) {
    this.#policy = policy;
    this.#deps = deps;
    this.#attempt = deps.collapse(() => this.#renew(load), String);
  }

  /** Synchronous while the value is young enough. Rejects with `ProviderUnavailable` when there is no usable value. */
  get(): MaybePromise<T> {
    const held = this.#held;
    if (held === undefined) return this.reload();
    const now = this.#deps.clock.now();
    const age = now - held.at;
    if (age < this.#policy.softMs) return held.value;
    const outage = this.#failure !== undefined && now - this.#failure.at < OUTAGE_MS;
    if (age < this.#policy.hardMs || (outage && age < this.#policy.staleMs)) {
      this.#renewInBackground(now);
      return held.value;
    }
    return this.#renewOrStale();
  }

  /** Loads a new value. Rejects with `ProviderUnavailable`, for 5 s after a failure without an attempt. */
  async reload(): Promise<T> {
    const failure = this.#failure;
    if (failure !== undefined && this.#deps.clock.now() - failure.at < FAILURE_COOLDOWN_MS)
      throw failure.error;
    return this.#attempt('');
  }

  /** Whatever its age; renews nothing. */
  held(): T | undefined {
    return this.#held?.value;
  }

  /** How many attempts were begun. */
  get attempts(): number {
    return this.#attempts;
  }

  /** The attempt that loaded the held value, counted from 1. */
  get heldAttempt(): number {
    return this.#held?.attempt ?? 0;
  }

  /** Undefined once a later attempt has succeeded. */
  get lastFailure(): ProviderUnavailable | undefined {
    return this.#failure?.error;
  }

  /** Milliseconds since the held value was requested; Infinity without one. */
  ageMs(): number {
    return this.#held === undefined ? Infinity : this.#deps.clock.now() - this.#held.at;
  }

  state(): RefreshState {
    const age = this.ageMs();
    const lastError = this.#failure === undefined ? {} : { lastError: this.#failure.error.message };
    if (age >= this.#policy.staleMs) return { state: 'none', ageSeconds: null, ...lastError };
    const state = age < this.#policy.hardMs ? 'fresh' : 'stale';
    return { state, ageSeconds: Math.floor(age / 1000), ...lastError };
  }

  async #renewOrStale(): Promise<T> {
    try {
      return await this.reload();
    } catch (error) {
      const held = this.#held;
      if (held !== undefined && this.ageMs() < this.#policy.staleMs) return held.value;
      throw error;
    }
  }

  #renewInBackground(now: number): void {
    if (now - this.#backgroundAt < FAILURE_COOLDOWN_MS) return;
    this.#backgroundAt = now;
    // The failure is kept and logged by #renew; here there is no caller to reject.
    this.#deps.background(this.reload().catch(() => undefined));
  }

  async #renew(load: (held: T | undefined) => Promise<T>): Promise<T> {
    // The age counts from the request, not the answer: what changed meanwhile must not live longer.
    const at = this.#deps.clock.now();
    const attempt = (this.#attempts += 1);
    try {
      const value = await load(this.#held?.value);
      // Without collapsing, answers can overtake each other; the younger request wins.
      if (this.#held === undefined || at >= this.#held.at) this.#held = { value, at, attempt };
      this.#failure = undefined;
      return value;
    } catch (cause) {
      const error =
        cause instanceof ProviderUnavailable ? cause : new ProviderUnavailable('unusable answer', { cause });
      this.#failure = { error, at: this.#deps.clock.now() };
      this.#deps.log.warn('identity provider does not answer', { reason: error.message });
      throw error;
    }
  }
}
