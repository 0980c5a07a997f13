import { Refusal } from '../../shared/errors.ts';
import type { RatePolicy } from '../../shared/ports/counters.ts';
import type { Relations } from '../../shared/ports/relations.ts';
import { prove, type Proof } from '../../shared/proof.ts';
import type { Authenticate } from './authenticate/authenticate.ts';
import type { Principal } from './authenticate/principal.ts';
import { authorize, type Grant } from './authorize/authorize.ts';
import { callerOf, organizationOf, type Caller } from './limit/limit.ts';
import type { Journey } from './journey.ts';
import { limit, type Admission, type LimitDeps } from './limit/limit.ts';
import { judgePath, type JudgedPath } from './read/path.ts';
import type { GatewayRequest } from './read/request.ts';
import type { CompiledRules, Match } from './match/types.ts';

/** That a request may pass: the proof that forwarding asks for. */
export type Decision = Proof<Decided, 'decided'>;

export interface Decided {
  readonly path: JudgedPath;
  readonly match: Match;
  /** Absent on public rules. */
  readonly principal: Principal | undefined;
  /** Who was limited. */
  readonly caller: Caller;
  readonly admission: Admission;
  readonly grant: Grant;
}

export interface DecideDeps extends LimitDeps {
  readonly rules: () => CompiledRules;
  readonly authenticate: Authenticate;
  readonly relations: Relations;
  readonly defaultRate: RatePolicy;
}

const decided = prove<'decided'>();

/**
 * match -> authenticate -> limit -> authorize. Each step throws a Refusal or hands its proof to the next.
 * The journey keeps what is known so far: a refusal is logged, and answered, with it.
 */
export async function decide(request: GatewayRequest, journey: Journey, deps: DecideDeps): Promise<Decision> {
  if (request.fault !== undefined) throw request.fault;
  const path = judgePath(request.target);
  const rules = deps.rules();
  const match = matchRule(request.method, path, rules);
  journey.matched(match);
  const principal = await deps.authenticate(match.rule, request, rules.claimNames);
  journey.authenticated(principal);
  const caller = callerOf(principal, request.address);
  const admission = await limit(
    { caller, issuedAt: principal?.issuedAt, organization: organizationOf(principal) },
    match.rule.rateLimit ?? deps.defaultRate,
    deps,
  );
  journey.limited(admission);
  const grant = await authorize(match, principal, deps.relations);
  journey.authorized(grant);
  return decided<Decided>({ path, match, principal, caller, admission, grant });
}

function matchRule(method: string, path: JudgedPath, rules: CompiledRules): Match {
  const match = rules.match(method, path.segments);
  if (match === undefined) throw new Refusal('no_rule', 'no rule for this method and path');
  return match;
}
