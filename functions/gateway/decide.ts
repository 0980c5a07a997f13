import { Refusal } from '../../shared/errors.ts';
import type { RatePolicy } from '../../shared/ports/counters.ts';
import { when, type MaybePromise } from '../../shared/ports/runtime.ts';
import { prove, type Proof } from '../../shared/proof.ts';
import type { Authenticate } from './authenticate/authenticate.ts';
import type { Principal } from './authenticate/principal.ts';
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
 * make no promise. The journey records each result: a refusal is logged and answered with it.
 */
export function decide(request: GatewayRequest, journey: Journey, deps: DecideDeps): MaybePromise<Decision> {
  if (request.fault !== undefined) throw request.fault;
  const path = judgePath(request.target);
  const rules = deps.rules();
  const match = matchRule(request.method, path, rules);
  journey.matched(match);
  return when(deps.authenticate(match.rule, request, rules.claimNames), (principal) => {
    journey.authenticated(principal);
    const caller = callerOf(principal, request.address);
    const policy = match.rule.rateLimit ?? deps.defaultRate;
    const { organization, issuedAt } = principal ?? ANONYMOUS;
    return when(limit({ caller, policy, organization, issuedAt }, deps), (admission) => {
      journey.limited(admission);
      return when(authorize(match, principal, deps.decisions), (grant) => {
        journey.authorized(grant);
        return decided<Decided>({ path, match, principal, caller, admission, grant });
      });
    });
  });
}

const ANONYMOUS = { organization: undefined, issuedAt: undefined };

function matchRule(method: string, path: JudgedPath, rules: CompiledRules): Match {
  const match = rules.match(method, path.segments);
  if (match === undefined) throw new Refusal('no_rule', 'no rule for this method and path');
  return match;
}
