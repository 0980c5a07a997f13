import type { CryptoKey } from 'jose';
import type { MaybePromise } from '../ports/runtime.ts';
import type { RefreshState } from '../caches/refreshed.ts';

/** A public key an issuer signs with. */
export interface VerificationKey {
  /** Names this key material under this `kid` and `alg`: another key under the same `kid` has another id. */
  readonly id: string;
  readonly kid: string | undefined;
  readonly alg: string;
  readonly key: CryptoKey;
}

/** A published key for signatures that must not verify any. */
export interface RefusedKey {
  readonly kid: string | undefined;
  readonly reason: string;
}

export interface KeyState extends RefreshState {
  readonly refused: readonly RefusedKey[];
}

/** A token's header fields about its key, and the address that presents it. */
export interface Sought {
  readonly kid: string | undefined;
  readonly alg: string;
  /** Whoever names many keys in vain waits for none. */
  readonly address: string;
}

/** Where the keys of one issuer come from. */
export interface KeySource {
  /** The keys that may have signed; empty when the issuer has none. Rejects with `ProviderUnavailable` when that cannot be known. */
  find(sought: Sought): MaybePromise<readonly VerificationKey[]>;
  /** After none of `tried` fitted: keys that have taken their place at the provider. Rejects as `find` does. */
  findNewer(sought: Sought, tried: readonly VerificationKey[]): Promise<readonly VerificationKey[]>;
  /** Why a published key of this name is not used. */
  refusal(kid: string | undefined): string | undefined;
  /** Is the key with this id still in use? Renews aged keys; at once on nearly every call. */
  holds(id: string): MaybePromise<boolean>;
  /** Resolves when usable keys are at hand. */
  ping(): Promise<void>;
  /** For readiness; asks nobody. */
  state(): KeyState;
}
