import { LRUCache } from 'lru-cache';
import { ProviderUnavailable } from '../errors.ts';
import type { Refreshed } from '../caches/refreshed.ts';
import type { ProviderDeps } from './discovery.ts';
import { pause } from '../ports/runtime.ts';

/** Fetches for absent names, over all addresses: this many at once, then one per `FETCH_EVERY_MS`. */
export const FETCH_BURST = 10;
export const FETCH_EVERY_MS = 1_000;
/** Milliseconds in which an absent name is not fetched for again. */
export const NAME_PAUSE_MS = 5_000;
/** An address with this many vain fetches within `ADDRESS_PAUSE_MS` does not wait, and fetches once per `FETCH_EVERY_MS`. */
const VAIN_FETCHES = 10;
const ADDRESS_PAUSE_MS = 30_000;
/** Longer than any exchange with a provider. On Workers a cancelled request gives no notice. */
const FETCH_TIMEOUT_MS = 5_000;
const TOO_MANY_MISSES =
  'an unknown key, and too many unknown keys came from this address to fetch for it now';
const MAX_WAITING = 1_000;
const MAX_REMEMBERED = 1_000;
const POLL_MS = 20;

interface Miss {
  readonly address: string;
  /** What is missing; undefined when its absence must not be cached. */
  readonly name: string | undefined;
}

/** Fetches that found nothing for an address; many of its requests may have shared one. */
interface Vain {
  readonly count: number;
  readonly attempt: number;
  readonly until: number;
}

/**
 * Fetches again what the held value lacks. Any client may name keys that do not exist, and must not thereby make a genuine
 * key unknown: a miss fetches at once, in a flood of misses once a second, and a request in between waits for the next
 * fetch. Only an address with many vain fetches does not wait, and is refused between fetches as while the provider is away:
 * whether the key exists is undetermined then, and clients discard a token upon `invalid_token`.
 */
export class Misses<Value> {
  readonly #value: Refreshed<Value>;
  readonly #now: () => number;
  readonly #sleep: (ms: number) => Promise<void>;
  readonly #absent = new LRUCache<string, number>({ max: MAX_REMEMBERED });
  readonly #vain = new LRUCache<string, Vain>({ max: MAX_REMEMBERED });
  #tokens = FETCH_BURST;
  #fetchedAt = -Infinity;
  #fetchingUntil = -Infinity;
  #waiting = 0;

  constructor(value: Refreshed<Value>, { clock, sleep = pause }: Pick<ProviderDeps, 'clock' | 'sleep'>) {
    this.#value = value;
    this.#now = () => clock.now();
    this.#sleep = sleep;
  }

  /** What `find` returns for a value fetched after this call; empty when absent. Rejects with `ProviderUnavailable`. */
  async lookUp<Found>(find: (value: Value) => readonly Found[], miss: Miss): Promise<readonly Found[]> {
    const { name } = miss;
    if (name !== undefined && this.#now() < (this.#absent.get(name) ?? -Infinity)) return this.#nothing();
    const found = find(await this.#newer(this.#isVain(miss.address)));
    if (found.length === 0) this.#remember(miss);
    return found;
  }

  /** The value of an attempt begun from now on: an earlier one may predate the key. Rejects when waiting is not permitted. */
  async #newer(vain: boolean): Promise<Value> {
    const before = this.#value.attempts;
    const deadline = this.#now() + 2 * FETCH_TIMEOUT_MS;
    for (;;) {
      const held = this.#value.held();
      if (held !== undefined && this.#value.heldAttempt > before) return held;
      if (this.#mayFetch(vain)) await this.#reload();
      else if (vain) throw this.#value.lastFailure ?? new ProviderUnavailable(TOO_MANY_MISSES);
      else await this.#wait(deadline);
    }
  }

  #mayFetch(vain: boolean): boolean {
    const now = this.#now();
    const refilled = Math.min(FETCH_BURST, this.#tokens + (now - this.#fetchedAt) / FETCH_EVERY_MS);
    if (now < this.#fetchingUntil || refilled < 1 || (vain && now - this.#fetchedAt < FETCH_EVERY_MS))
      return false;
    this.#tokens = refilled - 1;
    this.#fetchedAt = now;
    return true;
  }

  async #reload(): Promise<void> {
    this.#fetchingUntil = this.#now() + FETCH_TIMEOUT_MS;
    try {
      await this.#value.reload();
    } finally {
      this.#fetchingUntil = -Infinity;
    }
  }

  /** Polls instead of sharing a promise: on Workers a request cannot await what another one began. */
  async #wait(deadline: number): Promise<void> {
    const { lastFailure } = this.#value;
    if (lastFailure !== undefined) throw lastFailure;
    if (this.#waiting >= MAX_WAITING || this.#now() > deadline)
      throw new ProviderUnavailable('the keys are being fetched, and did not arrive in time');
    this.#waiting += 1;
    try {
      await this.#sleep(POLL_MS);
    } finally {
      this.#waiting -= 1;
    }
  }

  /** While the provider is away, absence cannot be asserted. */
  #nothing(): readonly never[] {
    const { lastFailure } = this.#value;
    if (lastFailure !== undefined) throw lastFailure;
    return [];
  }

  #isVain(address: string): boolean {
    const vain = this.#vain.get(address);
    return vain !== undefined && vain.count >= VAIN_FETCHES && this.#now() < vain.until;
  }

  #remember({ address, name }: Miss): void {
    const now = this.#now();
    if (name !== undefined) this.#absent.set(name, now + NAME_PAUSE_MS);
    const { heldAttempt: attempt } = this.#value;
    const vain = this.#vain.get(address);
    if (vain === undefined || now >= vain.until)
      this.#vain.set(address, { count: 1, attempt, until: now + ADDRESS_PAUSE_MS });
    else if (vain.attempt !== attempt) this.#vain.set(address, { ...vain, count: vain.count + 1, attempt });
  }
}
