import { LRUCache } from 'lru-cache';
import { OwnedCache } from '../../../shared/caches/owned.ts';
import type { Clock, Digest, MaybePromise } from '../../../shared/ports/runtime.ts';
import type { Accepted, Outcome, Rejected } from './principal.ts';

export interface TokenCacheOptions {
  readonly clock: Clock;
  readonly digest: Digest;
  /** Tokens remembered as good; 10,000 by default. */
  readonly maxAccepted?: number;
  /** Kept apart, so that a flood of bad tokens cannot push good ones out; 1,000 by default. */
  readonly maxRejected?: number;
}

/** `wanted`: the claims to be kept. */
type VerifyFrom<Who> = (token: string, address: string, wanted: ReadonlySet<string>) => Promise<Outcome<Who>>;

interface Remembered<Who> extends Accepted<Who> {
  /** The claims that rules demanded when it was verified. */
  readonly kept: ReadonlySet<string>;
}

interface Asked {
  readonly token: string;
  readonly address: string;
  readonly wanted: ReadonlySet<string>;
}

/**
 * Remembers verdicts by the SHA-256 of the whole token: never longer than the verdict allows, nor than the key
 * behind it is held. A remembered token is answered at once, without a promise.
 */
export class TokenCache<Who extends { readonly caller: string }> {
  readonly #verify: VerifyFrom<Who>;
  readonly #clock: Clock;
  readonly #digest: Digest;
  readonly #accepted: OwnedCache<Remembered<Who>>;
  readonly #rejected: LRUCache<string, Rejected>;

  constructor(verify: VerifyFrom<Who>, options: TokenCacheOptions) {
    this.#verify = verify;
    this.#clock = options.clock;
    this.#digest = options.digest;
    this.#accepted = new OwnedCache(options.maxAccepted ?? 10_000);
    this.#rejected = new LRUCache({ max: options.maxRejected ?? 1_000 });
  }

  /** Throws or rejects as the verifier does. */
  verify(asked: Asked): MaybePromise<Who> {
    const digest = this.#digest(asked.token);
    if (typeof digest === 'string') return this.#recall(digest, asked);
    return digest.then((later) => this.#recall(later, asked));
  }

  #recall(digest: string, asked: Asked): MaybePromise<Who> {
    const known = this.#accepted.get(digest);
    if (known === undefined) return this.#unknown(digest, asked);
    // After a change of rules other claims may be demanded than were kept.
    if (this.#clock.now() >= known.untilMs || known.kept !== asked.wanted) return this.#again(digest, asked);
    const holds = known.evidence === undefined || known.evidence.source.holds(known.evidence.keyId);
    if (holds === true) return known.identity;
    if (holds === false) return this.#again(digest, asked);
    return holds.then((still) => (still ? known.identity : this.#again(digest, asked)));
  }

  /** Drops every remembered token of a caller, `<issuer name>|<sub>`; a verdict begun before is not remembered after it. */
  forget(caller: string): void {
    this.#accepted.forget(caller);
  }

  #again(digest: string, asked: Asked): Promise<Who> {
    this.#accepted.delete(digest);
    return this.#ask(digest, asked);
  }

  #unknown(digest: string, asked: Asked): Promise<Who> {
    const rejected = this.#rejected.get(digest);
    if (rejected !== undefined && this.#clock.now() < rejected.untilMs) throw rejected.refusal;
    return this.#ask(digest, asked);
  }

  #ask(digest: string, { token, address, wanted }: Asked): Promise<Who> {
    return this.#accepted.asking(async (keep) => {
      const outcome = await this.#verify(token, address, wanted);
      const now = this.#clock.now();
      if ('refusal' in outcome) {
        if (now < outcome.untilMs) this.#rejected.set(digest, outcome);
        throw outcome.refusal;
      }
      if (now < outcome.untilMs) keep(digest, outcome.identity.caller, { ...outcome, kept: wanted });
      return outcome.identity;
    });
  }
}
