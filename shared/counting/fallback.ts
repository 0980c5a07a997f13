import { CountersUnavailable } from '../errors.ts';
import { MARK_SECONDS, UNVERSIONED, type KnownMarks, type MarkSource } from '../identity/marks.ts';
import { MarksRecovery } from './recovery.ts';
import type { SharedCounters, SharedTaken } from '../ports/platform.ts';
import type { Background, Clock, Random } from '../ports/runtime.ts';
import type { Counters, Taken, TakeRequest } from '../ports/counters.ts';
import type { Log } from '../ports/log.ts';
import type { Mark, MarkStore, Revocations } from '../ports/revocations.ts';

/** RATE_LIMIT_FAILURE: limit by this instance alone, admit everyone, or refuse everyone while the store is away. */
export type FailureMode = 'local' | 'open' | 'closed';

export interface LocalCounters {
  take(request: TakeRequest): Taken;
  readonly marks: KnownMarks;
}

export interface FallbackOptions {
  readonly shared: Pick<SharedCounters, 'take' | 'ping' | 'connections'> & MarkStore;
  /** Counters of this process: they decide in mode `local`, and in every mode hold the marks seen. */
  readonly local: LocalCounters;
  readonly mode: FailureMode;
  readonly clock: Clock;
  readonly random: Pick<Random, 'uuid'>;
  readonly background: Background;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** Milliseconds without attempts after a failure; then one request tries the store again. 1,000 by default. */
  readonly coolDownMs?: number;
  /** Called when the store becomes unavailable and when it is back, not once per request. */
  readonly onChange?: (state: CountersState) => void;
}

export type CountersState =
  | { readonly store: 'up' }
  | { readonly store: 'away'; readonly mode: FailureMode; readonly sinceMs: number; readonly reason: string };

const UP: CountersState = { store: 'up' };
/** A caller's mark that differs from the store's is written again no more often than this. */
const REPUBLISH_MS = 1_000;

/** Counters that follow RATE_LIMIT_FAILURE while the store is away, without its full time-out per request. */
export class FallbackCounters implements Counters, Revocations {
  readonly #options: FallbackOptions;
  readonly #coolDownMs: number;
  readonly #recovery: MarksRecovery;
  #state: CountersState = UP;
  #tryAgainAtMs = 0;
  #connections: number | undefined;
  /** Callers whose mark was written again, and until when that suffices. */
  readonly #republishedUntil = new Map<string, number>();

  constructor(options: FallbackOptions) {
    this.#options = options;
    this.#coolDownMs = options.coolDownMs ?? 1_000;
    this.#recovery = new MarksRecovery({ ...options, known: options.local.marks });
  }

  /** For /ready: the result of the latest take or ping. */
  get state(): CountersState {
    return this.#state;
  }

  /** Sets the source of marks that the store has lost. */
  marksFrom(source: MarkSource): void {
    this.#recovery.from(source);
  }

  take(request: TakeRequest): Promise<Taken> {
    const state = this.#state;
    if (state.store === 'away' && !this.#mayTry()) return this.#withoutStore(request, state.reason);
    const taken = Promise.resolve(this.#options.shared.take(request));
    return taken.then(
      (answer) => this.#answered(request, answer),
      (error: unknown) => this.#missed(request, error),
    );
  }

  /** One request at a time waits for the store. */
  #mayTry(): boolean {
    const now = this.#options.clock.now();
    if (now < this.#tryAgainAtMs) return false;
    this.#tryAgainAtMs = now + this.#coolDownMs;
    return true;
  }

  #answered(request: TakeRequest, taken: SharedTaken): Taken {
    this.#markUp();
    this.#noticeReconnection();
    this.#later(this.#recovery.heed(taken.store));
    return this.#agreed(request, taken);
  }

  #missed(request: TakeRequest, error: unknown): Promise<Taken> {
    if (!(error instanceof CountersUnavailable)) throw error;
    this.#markAway(error);
    this.#later(this.#recovery.readSource());
    return this.#withoutStore(request, error.message, error);
  }

  /** Pings the store, whatever the mode. */
  async ping(): Promise<void> {
    try {
      await this.#options.shared.ping();
      this.#markUp();
    } catch (error) {
      if (error instanceof CountersUnavailable) this.#markAway(error);
      throw error;
    }
  }

  /** Polls availability and identity of the store; resolves when missing marks are restored. Never rejects. */
  async look(): Promise<void> {
    try {
      const store = await this.#options.shared.look();
      this.#markUp();
      this.#noticeReconnection();
      await this.#recovery.heed(store);
    } catch (error) {
      if (!(error instanceof CountersUnavailable)) throw error;
      this.#markAway(error);
      await this.#recovery.readSource();
    }
  }

  /** Marks here at once, then in the store; throws `CountersUnavailable` when it did not reach the store: repeat it. */
  async mark(caller: string, mark: Mark, seconds: number): Promise<void> {
    const { local, shared, clock } = this.#options;
    local.marks.learn(caller, mark, seconds, clock.now());
    try {
      await shared.mark(caller, mark, seconds);
    } catch (error) {
      this.#recovery.lacks();
      throw error;
    }
  }

  #agreed({ caller, organization, session }: TakeRequest, taken: SharedTaken): Taken {
    const mark = this.#newer(caller, taken.mark);
    if (organization === undefined && session === undefined)
      return mark === taken.mark ? taken : { ...taken, mark };
    return {
      ...taken,
      mark,
      organizationMark: this.#newerOf(organization, taken.organizationMark),
      sessionMark: this.#newerOf(session, taken.sessionMark),
    };
  }

  #newerOf(caller: string | undefined, stored: Mark | undefined): Mark | undefined {
    return caller === undefined ? undefined : this.#newer(caller, stored);
  }

  /** The newer mark wins, the store's or this instance's: a store without one may have lost it. */
  #newer(caller: string, stored: Mark | undefined): Mark | undefined {
    const { local, clock } = this.#options;
    const now = clock.now();
    const known = local.marks.of(caller, now);
    if (stored === undefined && known === undefined) return undefined;
    if (stored?.version === UNVERSIONED) {
      // Its order is unknown: it holds until its writer takes it back, or the source's mark replaces it.
      this.#republish(caller, undefined, now);
      return stored;
    }
    if (stored !== undefined && (known === undefined || stored.version >= known.version)) {
      local.marks.learn(caller, stored, MARK_SECONDS, now);
      return stored;
    }
    this.#republish(caller, known, now);
    return known;
  }

  #republish(caller: string, known: Mark | undefined, now: number): void {
    if (now < (this.#republishedUntil.get(caller) ?? 0)) return;
    if (this.#republishedUntil.size > 10_000) this.#republishedUntil.clear();
    this.#republishedUntil.set(caller, now + REPUBLISH_MS);
    this.#later(this.#recovery.republish(caller, known));
  }

  #later(work: Promise<void> | undefined): void {
    if (work !== undefined) this.#options.background(work);
  }

  async #withoutStore(request: TakeRequest, reason: string, cause?: unknown): Promise<Taken> {
    switch (this.#options.mode) {
      case 'closed':
        throw new CountersUnavailable(reason, { cause });
      case 'local':
        return this.#options.local.take(request);
      case 'open':
        return this.#admitUncounted(request);
    }
  }

  #admitUncounted({ caller, policy, organization, session }: TakeRequest): Taken {
    const { local, clock } = this.#options;
    const now = clock.now();
    return {
      allowed: true,
      remaining: policy.limit,
      resetMs: 0,
      retryAfterMs: 0,
      mark: local.marks.of(caller, now),
      organizationMark: organization === undefined ? undefined : local.marks.of(organization, now),
      sessionMark: session === undefined ? undefined : local.marks.of(session, now),
    };
  }

  #markUp(): void {
    if (this.#state.store === 'up') return;
    this.#state = UP;
    this.#options.onChange?.(UP);
  }

  /** A store may be restarted between two calls, and return under its name without its latest marks. */
  #noticeReconnection(): void {
    const connections = this.#options.shared.connections?.();
    if (connections === this.#connections) return;
    if (this.#connections !== undefined) this.#recovery.lacks();
    this.#connections = connections;
  }

  #markAway(error: CountersUnavailable): void {
    const now = this.#options.clock.now();
    this.#tryAgainAtMs = now + this.#coolDownMs;
    this.#recovery.lacks();
    if (this.#state.store === 'away') return;
    this.#state = { store: 'away', mode: this.#options.mode, sinceMs: now, reason: error.message };
    this.#options.onChange?.(this.#state);
  }
}
