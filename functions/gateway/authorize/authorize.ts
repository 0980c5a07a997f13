import { Refusal } from '../../../shared/errors.ts';
import { toRefusal } from '../../../shared/edge/problem.ts';
import { when, type MaybePromise } from '../../../shared/ports/runtime.ts';
import { prove, type Proof } from '../../../shared/proof.ts';
import type { Checked, Principal } from '../authenticate/principal.ts';
import type { Decisions } from './decisions.ts';
import { objectOf } from '../match/rules/object.ts';
import { isScope, unmet, type ClaimDemand } from '../match/rules/claims.ts';
import type { Match } from '../match/types.ts';

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
 * Checks the rule's claims, then its relation with OpenFGA. Throws Refusal `forbidden`, `authorization_unavailable` when
 * there is no verdict, `authorization_misconfigured` when OpenFGA rejects the check; a shadow rule grants all the same,
 * with `wouldRefuse`.
 */
export function authorize(
  match: Match,
  principal: Principal | undefined,
  decisions: Decisions,
): MaybePromise<Grant> {
  const { access, claims, mode } = match.rule;
  if (access.kind === 'public') return PUBLIC;
  // authenticate() makes a principal for every rule that is not public; without one nothing is granted.
  if (principal === undefined) throw new Refusal('missing_token', 'no principal');
  const lacking = claims === undefined ? undefined : unmet(claims, principal.claims);
  if (lacking !== undefined) {
    const wouldRefuse = claimMissing(lacking);
    if (mode === 'shadow') return granted<Granted>({ kind: access.kind, wouldRefuse });
    throw wouldRefuse;
  }
  if (access.kind === 'authenticated') return AUTHENTICATED;
  const checked = decisions.check(principal, access.relation, objectOf(access, match.params));
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
