import { Refusal } from '../../../shared/errors.ts';
import { toRefusal } from '../../../shared/edge/problem.ts';
import { when, type Clock, type MaybePromise } from '../../../shared/ports/runtime.ts';
import { prove, type Proof } from '../../../shared/proof.ts';
import type { Checked, Principal } from '../authenticate/principal.ts';
import { lackOfTenant, type Tenancy } from '../authenticate/tenancies.ts';
import { objectOf } from '../match/rules/object.ts';
import { isScope, unmet, type ClaimDemand } from '../match/rules/claims.ts';
import type { Match } from '../match/types.ts';
import { Bounded } from '../../../shared/caches/bounded.ts';
import type { Relations } from '../../../shared/ports/relations.ts';

/** Proof of authorization, and its basis. */
export type Grant = Proof<Granted, 'granted'>;

export interface Granted {
  readonly kind: 'public' | 'authenticated' | 'relation';
  /** The relation that holds; absent where none was required, or none was found to hold. */
  readonly checked?: Checked;
  /** Shadow mode only: the refusal that enforcement would have thrown. */
  readonly wouldRefuse?: Refusal;
}

const granted = prove<'granted'>();
const PUBLIC = granted<Granted>({ kind: 'public' });
const AUTHENTICATED = granted<Granted>({ kind: 'authenticated' });

/**
 * Checks the rule's claims and its tenant, then its relation with OpenFGA. Throws Refusal `forbidden`, `no_tenant`,
 * `wrong_tenant`, `authorization_unavailable` when there is no verdict, `authorization_misconfigured` when OpenFGA rejects the
 * check, and that of a provider or a database that would have to say the tenant; a shadow rule grants all the same, with
 * `wouldRefuse`. `tenancy`: that of tenancyOf().
 */
export function authorize(
  match: Match,
  principal: Principal | undefined,
  tenancy: Tenancy | undefined,
  decisions: Decisions,
): MaybePromise<Grant> {
  const { access, claims, tenant, mode } = match.rule;
  if (access.kind === 'public') return PUBLIC;
  // authenticate() makes a principal for every rule that is not public; without one nothing is granted.
  if (principal === undefined) throw new Refusal('missing_token', 'no principal');
  const lacking = claims === undefined ? undefined : unmet(claims, principal.claims);
  const wouldRefuse =
    lacking === undefined
      ? tenant && lackOfTenant(match, principal.tenancies, tenancy)
      : claimMissing(lacking);
  if (wouldRefuse !== undefined) {
    if (mode === 'shadow') return granted<Granted>({ kind: access.kind, wouldRefuse });
    throw wouldRefuse;
  }
  if (access.kind === 'authenticated') return AUTHENTICATED;
  // A fixed object needs no parameters, and they are captured when they are asked for.
  const object = typeof access.object === 'string' ? access.object : objectOf(access, match.params);
  const checked = decisions.check(principal, access.relation, object);
  return mode === 'shadow' ? shadow(checked) : when(checked, grant);
}

/** RFC 6750 §3.1: the challenge names a missing scope. The reason quotes the rule, never the token. */
function claimMissing({ name, values }: ClaimDemand): Refusal {
  const wanted = values.join(' ');
  const challenge = `Bearer realm="sallyport", error="insufficient_scope", scope="${wanted}"`;
  return new Refusal('forbidden', `claim ${name} lacks ${wanted}`, {
    ...(isScope(name) && { headers: { 'WWW-Authenticate': challenge } }),
  });
}

function grant(checked: Checked): Grant {
  const { allowed, relation, object } = checked;
  if (!allowed) throw new Refusal('forbidden', `not ${relation} of ${object}`);
  return granted<Granted>({ kind: 'relation', checked });
}

async function shadow(checked: MaybePromise<Checked>): Promise<Grant> {
  try {
    return grant(await checked);
  } catch (error) {
    return granted<Granted>({ kind: 'relation', wouldRefuse: toRefusal(error) });
  }
}

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
      room: this.#room,
      person,
      relation,
      object,
      allowed,
      untilMs,
      assertions: [],
      next: undefined,
      used: false,
    };
    // Otherwise the answer serves this request alone: the check was begun before the user was forgotten, or its token evicted.
    if (person.isFound) {
      person.keep(checked);
      this.#room.add(checked);
    }
    return checked;
  }
}
