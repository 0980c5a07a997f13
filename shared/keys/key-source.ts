import type { CryptoKey } from 'jose';
import type { MaybePromise } from '../ports.ts';
import type { RefreshState } from '../refreshed.ts';

/** A public key an issuer signs with. */
export interface VerificationKey {
  /** Names this key material under this `kid` and `alg`: another key under the same `kid` has another id. */
  readonly id: string;
  readonly kid: string | undefined;
  readonly alg: string;
  readonly key: CryptoKey;
}

export type KeyState = RefreshState;

/** Where the keys of one issuer come from. */
export interface KeySource {
  /**
   * The one key for a token's header, or undefined when the issuer has none (or, without `kid`, not exactly one).
   * Rejects with `ProviderUnavailable` when that cannot be known.
   */
  find(kid: string | undefined, alg: string): MaybePromise<VerificationKey | undefined>;
  /** Is the key with this id still in use? Renews aged keys; at once on nearly every call. */
  holds(id: string): MaybePromise<boolean>;
  /** Resolves when usable keys are at hand. */
  ping(): Promise<void>;
  /** For readiness; asks nobody. */
  state(): KeyState;
}
