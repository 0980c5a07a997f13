import { ProviderUnavailable } from '../errors.ts';
import type { MaybePromise } from '../ports.ts';
import { FAILURE_COOLDOWN_MS, Refreshed } from '../refreshed.ts';
import type { Discovery, ProviderDeps, ProviderMetadata } from './discovery.ts';
import { boundOf, fetchJson } from './fetch-json.ts';
import { KeySet } from './key-set.ts';
import type { KeySource, KeyState, VerificationKey } from './key-source.ts';

/**
 * A key removed at the provider stops working here at most `hardMs` (10 minutes) later, as long as the provider
 * answers; while it is away, known keys go on for at most `staleMs` (24 hours).
 */
export const KEY_REFRESH = { softMs: 300_000, hardMs: 600_000, staleMs: 24 * 60 * 60 * 1000 } as const;

/** An unknown `kid` makes the keys be fetched again, but not sooner than this after the last fetch. */
export const UNKNOWN_KID_COOLDOWN_MS = 30_000;

/** The published keys of an OpenID provider. */
export function createKeySource(discovery: Discovery, deps: ProviderDeps): KeySource {
  return new RemoteKeys(discovery, deps);
}

class RemoteKeys implements KeySource {
  readonly #keys: Refreshed<KeySet>;
  readonly #refetch: (key: string) => Promise<KeySet>;
  readonly #deps: ProviderDeps;
  readonly #discovery: Discovery;
  #refetchedAt = -Infinity;
  #addressDoubtful = false;

  constructor(discovery: Discovery, deps: ProviderDeps) {
    this.#deps = deps;
    this.#discovery = discovery;
    this.#keys = new Refreshed((held) => this.#load(held), KEY_REFRESH, deps);
    this.#refetch = deps.collapse(() => this.#refetchOnce());
  }

  find(kid: string | undefined, alg: string): MaybePromise<VerificationKey | undefined> {
    const keys = this.#keys.get();
    if (keys instanceof Promise) return keys.then((set) => set.find(kid, alg) ?? this.#findNewer(kid, alg));
    return keys.find(kid, alg) ?? this.#findNewer(kid, alg);
  }

  holds(id: string): MaybePromise<boolean> {
    const keys = this.#keys.get();
    return keys instanceof Promise ? keys.then((set) => set.has(id)) : keys.has(id);
  }

  async ping(): Promise<void> {
    await this.#keys.get();
  }

  state(): KeyState {
    return this.#keys.state();
  }

  #findNewer(kid: string | undefined, alg: string): MaybePromise<VerificationKey | undefined> {
    if (this.#keys.ageMs() < UNKNOWN_KID_COOLDOWN_MS) return undefined;
    return this.#refetch('').then((set) => set.find(kid, alg));
  }

  async #refetchOnce(): Promise<KeySet> {
    const now = this.#deps.clock.now();
    // Where loads are not collapsed, a storm of unknown kids must not become a storm of fetches.
    if (now - this.#refetchedAt < FAILURE_COOLDOWN_MS)
      throw new ProviderUnavailable('the keys were asked for a moment ago and are not here yet');
    this.#refetchedAt = now;
    return this.#keys.reload();
  }

  async #load(held: KeySet | undefined): Promise<KeySet> {
    const bound = boundOf(this.#deps);
    const { jwksUri } = await this.#metadata();
    this.#addressDoubtful = true;
    const keys = await KeySet.parse(await fetchJson(this.#deps.fetch, jwksUri, { bound }), held);
    this.#addressDoubtful = false;
    return keys;
  }

  /** After a failure the key set may have moved: the next attempt asks for its address again. */
  async #metadata(): Promise<ProviderMetadata> {
    if (!this.#addressDoubtful) return this.#discovery.metadata();
    return this.#discovery.reload().catch(() => this.#discovery.metadata());
  }
}
