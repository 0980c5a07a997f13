import { Bounded } from '../../../shared/caches/bounded.ts';
import type { Relations } from '../../../shared/ports/relations.ts';
import type { Clock, MaybePromise } from '../../../shared/ports/runtime.ts';
import type { Checked, Principal } from '../authenticate/principal.ts';

export interface DecisionsOptions {
  readonly relations: Pick<Relations, 'check'>;
  /** DECISION_TTL; 0 = no cache. */
  readonly allowTtlMs: number;
  readonly clock: Clock;
  /** Over all users; 50,000 by default. */
  readonly max?: number;
}

// A new grant must not stay refused for long: denials are cached only to blunt a flood.
const DENY_TTL_MS = 5_000;

/** Caches OpenFGA's answers with their users; never an error. */
export class Decisions {
  readonly #options: DecisionsOptions;
  readonly #denyTtlMs: number;
  readonly #room: Bounded<Checked>;

  constructor(options: DecisionsOptions) {
    this.#options = options;
    this.#denyTtlMs = Math.min(DENY_TTL_MS, options.allowTtlMs);
    this.#room = new Bounded(options.max ?? 50_000, (gone) => {
      gone.person.drop(gone);
    });
  }

  /** Synchronous while cached. Rejects as `Relations` do. */
  check(principal: Principal, relation: string, object: string): MaybePromise<Checked> {
    const { person } = principal;
    const known = person.forgotten ? undefined : person.checked(relation, object);
    if (known === undefined || this.#options.clock.now() >= known.untilMs)
      return this.#ask(principal, relation, object);
    known.used = true;
    return known;
  }

  async #ask({ user, person }: Principal, relation: string, object: string): Promise<Checked> {
    const { relations, clock, allowTtlMs } = this.#options;
    const allowed = await relations.check({ user, relation, object });
    const untilMs = clock.now() + (allowed ? allowTtlMs : this.#denyTtlMs);
    const before = person.checked(relation, object);
    if (before !== undefined) {
      before.allowed = allowed;
      before.untilMs = untilMs;
      return before;
    }
    const checked: Checked = {
      person,
      relation,
      object,
      allowed,
      untilMs,
      assertions: [],
      next: undefined,
      used: false,
    };
    // An answer to a check begun before the user was forgotten serves this request alone: no later one finds it.
    person.keep(checked);
    this.#room.add(checked);
    return checked;
  }
}
