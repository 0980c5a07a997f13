import type { Refusal } from '../../../shared/errors.ts';
import type { KeySource } from '../../../shared/keys/key-source.ts';
import type { Claims, Identity } from './principal.ts';

/** The key a token was verified with: once it is gone from its source, so is what it proved. */
export interface Evidence {
  readonly source: KeySource;
  readonly keyId: string;
}

export interface Accepted<Who = Identity> {
  readonly identity: Who;
  /** Milliseconds since the epoch; not to be relied on from then on. */
  readonly untilMs: number;
  /** Absent when the provider vouched for the token itself. */
  readonly evidence?: Evidence;
}

/** A refusal that may be repeated without asking again. */
export interface Rejected {
  readonly refusal: Refusal;
  readonly untilMs: number;
}

export type Outcome<Who = Identity> = Accepted<Who> | Rejected;

/** A provider's verdict on a token: by its signature, or by introspection. */
export type Verdict = (Accepted & { readonly claims: Claims }) | Rejected;

/** `address`: who presents it. Throws Refusal for a token that is not accepted, `ProviderUnavailable` when that cannot be known. */
export type Verify = (token: string, address: string) => Promise<Verdict>;
