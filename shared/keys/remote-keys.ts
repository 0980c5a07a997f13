import { ProviderUnavailable } from '../errors.ts';
import type { MaybePromise } from '../ports/runtime.ts';
import { Refreshed } from '../caches/refreshed.ts';
import type { Discovery, ProviderDeps, ProviderMetadata } from './discovery.ts';
import { boundOf, fetchJson } from './fetch-json.ts';
import { KeySet } from './key-set.ts';
import type { KeySource, KeyState, Sought, VerificationKey } from './key-source.ts';
import { Misses } from './misses.ts';

/**
 * A key removed at the provider stops working here at most `hardMs` (10 minutes) later, as long as the provider
 * answers; while it is away, held keys stay in use for at most `staleMs` (24 hours).
 */
export const KEY_REFRESH = { softMs: 300_000, hardMs: 600_000, staleMs: 24 * 60 * 60 * 1000 } as const;

/** The published keys of an OpenID provider. */
export function createKeySource(discovery: Discovery, deps: ProviderDeps): KeySource {
  return new RemoteKeys(discovery, deps);
}

class RemoteKeys implements KeySource {
  readonly #keys: Refreshed<KeySet>;
  readonly #misses: Misses<KeySet>;
  readonly #deps: ProviderDeps;
  readonly #discovery: Discovery;
  #addressDoubtful = false;

  constructor(discovery: Discovery, deps: ProviderDeps) {
    this.#deps = deps;
    this.#discovery = discovery;
    this.#keys = new Refreshed((held) => this.#load(held), KEY_REFRESH, deps);
    this.#misses = new Misses(this.#keys, deps);
  }

  find(sought: Sought): MaybePromise<readonly VerificationKey[]> {
    const keys = this.#keys.get();
    return keys instanceof Promise ? keys.then((set) => this.#in(set, sought)) : this.#in(keys, sought);
  }

  async findNewer(
    { kid, alg, address }: Sought,
    tried: readonly VerificationKey[],
  ): Promise<readonly VerificationKey[]> {
    const ids = new Set(tried.map(({ id }) => id));
    const untried = (set: KeySet) => set.candidates(kid, alg).filter(({ id }) => !ids.has(id));
    const already = untried(await this.#keys.get());
    return already.length > 0 ? already : this.#misses.lookUp(untried, { address, name: undefined });
  }

  refusal(kid: string | undefined): string | undefined {
    return kid === undefined ? undefined : this.state().refused.find((key) => key.kid === kid)?.reason;
  }

  holds(id: string): MaybePromise<boolean> {
    const keys = this.#keys.get();
    return keys instanceof Promise ? keys.then((set) => set.has(id)) : keys.has(id);
  }

  async ping(): Promise<void> {
    await this.#keys.get();
  }

  state(): KeyState {
    return { ...this.#keys.state(), refused: this.#keys.held()?.refused ?? [] };
  }

  #in(set: KeySet, { kid, alg, address }: Sought): MaybePromise<readonly VerificationKey[]> {
    const held = set.candidates(kid, alg);
    if (held.length > 0) return held;
    return this.#misses.lookUp((newer) => newer.candidates(kid, alg), {
      address,
      name: `${alg} ${kid ?? ''}`,
    });
  }

  async #load(held: KeySet | undefined): Promise<KeySet> {
    const bound = boundOf(this.#deps);
    const { log } = this.#deps;
    const { jwksUri } = await this.#metadata();
    this.#addressDoubtful = true;
    const keys = await KeySet.parse(await fetchJson(this.#deps.fetch, jwksUri, { bound }), held);
    this.#addressDoubtful = false;
    for (const { kid, reason } of keys.refused) {
      if (held?.refused.some((key) => key.kid === kid && key.reason === reason) === true) continue;
      log.warn('a key of the issuer is not used', { issuer: this.#discovery.issuerUrl, kid, reason });
    }
    return keys;
  }

  /** After a failure the key set may have moved: the next attempt fetches discovery again. */
  async #metadata(): Promise<ProviderMetadata> {
    if (!this.#addressDoubtful) return this.#discovery.metadata();
    return this.#discovery.reload().catch((error: unknown) => {
      if (!(error instanceof ProviderUnavailable)) throw error;
      return this.#discovery.metadata();
    });
  }
}
