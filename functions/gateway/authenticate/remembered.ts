import { Bounded, type Kept } from '../../../shared/caches/bounded.ts';
import type { Clock, MaybePromise } from '../../../shared/ports/runtime.ts';
import {
  Person,
  type Evidence,
  type Outcome,
  type Principal,
  type Rejected,
  type Verified,
} from './principal.ts';

export interface TokenCacheOptions {
  readonly clock: Clock;
  /** Most accepted tokens; 10,000 by default. */
  readonly maxAccepted?: number;
  /** Most rejected tokens. Separate, so that a flood of bad tokens cannot evict good ones; 1,000 by default. */
  readonly maxRejected?: number;
}

/** `wanted`: the claims to keep. `before`: the last verdict on the same token, unless its user was forgotten. */
type VerifyToken = (
  token: string,
  address: string,
  wanted: ReadonlySet<string>,
  before: Verified | undefined,
) => Promise<Outcome<Verified>>;

type Admit = (verified: Verified, person: Person) => Principal;

interface Remembered extends Kept {
  readonly token: string;
  readonly principal: Principal;
  readonly untilMs: number;
  readonly evidence: Evidence | undefined;
  /** The claims that rules demanded when it was verified. */
  readonly wanted: ReadonlySet<string>;
}

interface Refused extends Kept, Rejected {
  readonly token: string;
}

/**
 * Characters that key the look-up: of a signed token, half of its signature. Hashing a whole token costs as much as a digest;
 * the whole is only compared.
 */
const TAIL = 43;
/** Of all accepted tokens: an isolate has 128 MB in all. */
const MAX_CHARACTERS = 16 * 1_048_576;

/**
 * Caches verdicts by the token itself (docs/decisions/0012-remembered-tokens.md): never longer than the verdict allows, nor
 * than its key is held. An accepted one leads to the cache entries of its user; it is returned synchronously.
 */
export class TokenCache {
  readonly #verify: VerifyToken;
  readonly #admit: Admit;
  readonly #clock: Clock;
  readonly #accepted = new Map<string, Remembered>();
  readonly #refused = new Map<string, Refused>();
  readonly #people = new Map<string, Person>();
  /** Users by the other names that events may have for them. */
  readonly #renamed = new Map<string, Set<string>>();
  readonly #roomForAccepted: Bounded<Remembered>;
  readonly #roomForRefused: Bounded<Refused>;
  /** Per verification in flight: the users forgotten meanwhile. */
  readonly #underway = new Set<Set<string>>();
  #characters = 0;

  constructor(verify: VerifyToken, admit: Admit, options: TokenCacheOptions) {
    this.#verify = verify;
    this.#admit = admit;
    this.#clock = options.clock;
    this.#roomForAccepted = new Bounded(options.maxAccepted ?? 10_000, (gone) => {
      this.#leave(gone);
    });
    this.#roomForRefused = new Bounded(options.maxRejected ?? 1_000, ({ token }) => {
      this.#refused.delete(tailOf(token));
    });
  }

  /** Throws or rejects as the verifier does. */
  verify(token: string, address: string, wanted: ReadonlySet<string>): MaybePromise<Principal> {
    const known = this.#accepted.get(tailOf(token));
    if (known?.token !== token) return this.#unknown(token, address, wanted);
    // After a change of rules, other claims may be demanded than were kept.
    const valid =
      this.#clock.now() < known.untilMs && known.wanted === wanted && !known.principal.person.forgotten;
    const holds =
      valid && (known.evidence === undefined || known.evidence.source.holds(known.evidence.keyId));
    if (typeof holds !== 'boolean')
      return holds.then((still) => (still ? known.principal : this.#again(known, address, wanted)));
    if (!holds) return this.#again(known, address, wanted);
    known.used = true;
    return known.principal;
  }

  /**
   * Invalidates all cache entries of an OpenFGA user, also by a former name; a verdict begun before is not cached after it.
   * Returns all names that the user has here.
   */
  forget(user: string): readonly string[] {
    const users = [user, ...(this.#renamed.get(user) ?? [])];
    for (const each of users) {
      const person = this.#people.get(each);
      if (person === undefined) continue;
      person.forgotten = true;
      person.free();
      this.#forgetPerson(each, person);
    }
    for (const forgotten of this.#underway) for (const each of users) forgotten.add(each);
    return users;
  }

  /** The entry stays until it is replaced, so that its user's other cache entries do. */
  async #again(known: Remembered, address: string, wanted: ReadonlySet<string>): Promise<Principal> {
    const { token, principal } = known;
    try {
      return await this.#ask(token, address, wanted, principal.person.forgotten ? undefined : principal);
    } finally {
      this.#remove(known);
    }
  }

  #unknown(token: string, address: string, wanted: ReadonlySet<string>): Promise<Principal> {
    const refused = this.#refused.get(tailOf(token));
    if (refused?.token === token && this.#clock.now() < refused.untilMs) {
      refused.used = true;
      throw refused.refusal;
    }
    return this.#ask(token, address, wanted);
  }

  async #ask(
    token: string,
    address: string,
    wanted: ReadonlySet<string>,
    before?: Verified,
  ): Promise<Principal> {
    const forgotten = new Set<string>();
    this.#underway.add(forgotten);
    try {
      const outcome = await this.#verify(token, address, wanted, before);
      const isCurrent = this.#clock.now() < outcome.untilMs;
      if ('refusal' in outcome) {
        if (isCurrent) this.#keepRefused({ ...outcome, token: copyOf(token), used: false });
        throw outcome.refusal;
      }
      const { identity, untilMs, evidence } = outcome;
      const { user, formerUser = user } = identity;
      const principal = this.#admit(identity, this.#people.get(user) ?? new Person());
      if (isCurrent && !forgotten.has(user) && !forgotten.has(formerUser))
        this.#keep({ token: copyOf(token), principal, untilMs, evidence, wanted, used: false });
      return principal;
    } finally {
      this.#underway.delete(forgotten);
    }
  }

  #keep(fresh: Remembered): void {
    const { token, principal } = fresh;
    // First: the entry that this one replaces may be the only other one of its user.
    principal.person.tokens += 1;
    const before = this.#accepted.get(tailOf(token));
    if (before !== undefined) this.#remove(before);
    while (this.#characters + token.length > MAX_CHARACTERS) this.#roomForAccepted.evict();
    this.#roomForAccepted.add(fresh);
    this.#accepted.set(tailOf(token), fresh);
    this.#people.set(principal.user, principal.person);
    if (principal.formerUser !== undefined) this.#rename(principal.formerUser, principal);
    this.#characters += token.length;
  }

  #keepRefused(fresh: Refused): void {
    const before = this.#refused.get(tailOf(fresh.token));
    if (before !== undefined) this.#roomForRefused.remove(before);
    this.#roomForRefused.add(fresh);
    this.#refused.set(tailOf(fresh.token), fresh);
  }

  #remove(known: Remembered): void {
    // Of two requests that find it void, the second has nothing to remove.
    if (this.#accepted.get(tailOf(known.token)) !== known) return;
    this.#roomForAccepted.remove(known);
    this.#leave(known);
  }

  #leave({ token, principal: { user, person } }: Remembered): void {
    this.#accepted.delete(tailOf(token));
    this.#characters -= token.length;
    person.tokens -= 1;
    if (person.tokens > 0) return;
    person.free();
    if (this.#people.get(user) === person) this.#forgetPerson(user, person);
  }

  #rename(former: string, { user, person }: Principal): void {
    (person.formerUsers ??= new Set()).add(former);
    const users = this.#renamed.get(former) ?? new Set();
    this.#renamed.set(former, users.add(user));
  }

  #forgetPerson(user: string, { formerUsers }: Person): void {
    this.#people.delete(user);
    for (const former of formerUsers ?? []) {
      const users = this.#renamed.get(former);
      users?.delete(user);
      if (users?.size === 0) this.#renamed.delete(former);
    }
  }
}

function tailOf(token: string): string {
  return token.slice(-TAIL);
}

/** A substring retains the whole string, which may be a header of 16 KiB. */
function copyOf(token: string): string {
  return Buffer.from(token, 'latin1').toString('latin1');
}
