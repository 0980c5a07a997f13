import type { CryptoKey } from 'jose';
import type { MaybePromise } from '../ports/runtime.ts';
import type { RefreshState } from '../caches/refreshed.ts';

/** A public key that verifies an issuer's signatures. */
export interface VerificationKey {
  /** Identifies key material, `kid` and `alg`: another key under the same `kid` has another id. */
  readonly id: string;
  readonly kid: string | undefined;
  readonly alg: string;
  readonly key: CryptoKey;
}

/** A published signature key that must not be used to verify. */
export interface RefusedKey {
  readonly kid: string | undefined;
  readonly reason: string;
}

export interface KeyState extends RefreshState {
  readonly refused: readonly RefusedKey[];
}

/** A token's `kid` and `alg`, and the address that presents it. */
export interface Sought {
  readonly kid: string | undefined;
  readonly alg: string;
  /** One that named many absent keys does not wait for a fetch. */
  readonly address: string;
}

/** The verification keys of one issuer. */
export interface KeySource {
  /** Keys that may have signed; empty when the issuer has none. Rejects with `ProviderUnavailable` when that is undetermined. */
  find(sought: Sought): MaybePromise<readonly VerificationKey[]>;
  /** After none of `tried` verified: keys that replaced them at the provider. Rejects as `find` does. */
  findNewer(sought: Sought, tried: readonly VerificationKey[]): Promise<readonly VerificationKey[]>;
  /** Why a published key with this `kid` is not used. */
  refusal(kid: string | undefined): string | undefined;
  /** Whether the key with this id is still in use. Renews aged keys; synchronous on nearly every call. */
  holds(id: string): MaybePromise<boolean>;
  /** Resolves once usable keys are held. */
  ping(): Promise<void>;
  /** For readiness; makes no request. */
  state(): KeyState;
}
