import { Refusal } from '../../shared/errors.ts';
import type { RatePolicy } from '../../shared/ports/counters.ts';
import { when, type MaybePromise } from '../../shared/ports/runtime.ts';
import { prove, type Proof } from '../../shared/proof.ts';
import type { Authenticate } from './authenticate/authenticate.ts';
import type { Renewing } from './authenticate/cookies.ts';
import type { Principal } from './authenticate/principal.ts';
import { tenancyOf, type Tenancy } from './authenticate/tenancies.ts';
import { authorize, type Decisions, type Grant } from './authorize/authorize.ts';
import type { Journey } from './journey.ts';
import { callerOf, limit, type Admission, type Caller, type LimitDeps } from './limit/limit.ts';
import { judgePath, type JudgedPath } from './read/path.ts';
import type { GatewayRequest } from './read/request.ts';
import type { CompiledRules, Match } from './match/types.ts';

/** Proof that a request may pass; forwarding requires it. */
export type Decision = Proof<Decided, 'decided'>;

export interface Decided {
  readonly path: JudgedPath;
  readonly match: Match;
  /** Absent on public rules. */
  readonly principal: Principal | undefined;
  /** The limited caller. */
  readonly caller: Caller;
  /** The tenant that the request is made in; absent where the caller is in none. */
  readonly tenancy: Tenancy | undefined;
  readonly admission: Admission;
  readonly grant: Grant;
}

export interface DecideDeps extends LimitDeps {
  readonly rules: () => CompiledRules;
  readonly authenticate: Authenticate;
  readonly decisions: Decisions;
  readonly defaultRate: RatePolicy;
}

const decided = prove<'decided'>();

/**
 * match -> authenticate -> limit -> authorize. Each step throws a Refusal or passes its proof to the next; cached results
 * make no promise. The journey records each result: a refusal is logged and answered with it. `answer`: takes the cookies of a
 * renewed session.
 */
export function decide(
  request: GatewayRequest,
  journey: Journey,
  deps: DecideDeps,
  answer?: Renewing,
): MaybePromise<Decision> {
  if (request.fault !== undefined) throw request.fault;
  const path = judgePath(request.target);
  const rules = deps.rules();
  const match = matchRule(request.method, path, rules);
  journey.matched(match);
  return when(deps.authenticate(match.rule, request, rules.claimNames, answer), (principal) => {
    journey.authenticated(principal);
    const caller = callerOf(principal, request.address);
    const policy = match.rule.rateLimit ?? deps.defaultRate;
    const { organization, session, issuedAt } = principal ?? ANONYMOUS;
    return when(limit({ caller, policy, organization, session, issuedAt }, deps), (admission) => {
      journey.limited(admission);
      const tenancy = principal && tenancyOf(match, principal.tenancies);
      return when(authorize(match, principal, tenancy, deps.decisions), (grant) => {
        journey.authorized(grant);
        return decided<Decided>({ path, match, principal, caller, tenancy, admission, grant });
      });
    });
  });
}

const ANONYMOUS = { organization: undefined, session: undefined, issuedAt: undefined };

function matchRule(method: string, path: JudgedPath, rules: CompiledRules): Match {
  const match = rules.match(method, path.segments);
  if (match === undefined) throw new Refusal('no_rule', 'no rule for this method and path');
  return match;
}
