import { Refusal } from '../../shared/errors.ts';
import { toProblem, toRefusal, type Problem } from '../../shared/edge/problem.ts';
import type { LocalCounters } from '../../shared/edge/quota.ts';
import type { Cors } from '../../shared/edge/cors.ts';
import { when, type MaybePromise, type Random } from '../../shared/ports/runtime.ts';
import type { TrustedProxies } from '../../shared/edge/trusted-proxies.ts';
import type { Answer, Upstream } from '../../shared/ports/upstream.ts';
import {
  callerOf,
  limit,
  type Admission,
  type Caller,
  type LimitDeps,
  type UnderWay,
} from './limit/limit.ts';
import { answeredProtocol, onward, type OnwardDeps } from './forward/onward.ts';
import { Journey, record, type RecordDeps } from './journey.ts';
import { readRequest, type GatewayRequest, type Inbound } from './read/request.ts';
import type { RatePolicy } from '../../shared/ports/counters.ts';
import { prove, type Proof } from '../../shared/proof.ts';
import type { Authenticate } from './authenticate/authenticate.ts';
import type { Principal } from './authenticate/principal.ts';
import { authorize, type Decisions, type Grant } from './authorize/authorize.ts';
import { judgePath, type JudgedPath } from './read/path.ts';
import type { CompiledRules, Match } from './match/types.ts';

export interface GatewayDeps extends DecideDeps, RecordDeps, OnwardDeps {
  readonly proxies: TrustedProxies;
  readonly random: Random;
  readonly cors: Cors;
  /** Counts refusals by own routes. */
  readonly guard: LocalCounters;
  readonly underWay: UnderWay;
  /** X-Gateway-Assertion for a decision; undefined when assertions are off. */
  readonly assertion: (decision: Decision) => MaybePromise<string | undefined>;
}

/** A runtime's means to answer and to forward. */
export interface Transport<Exchange, Out extends Answer> {
  readonly upstream: Upstream<Exchange, Out>;
  answer(problem: Problem, exchange: Exchange): Out;
  /** Whether the exchange ended because its client stopped reading; absent where the runtime handles it. */
  stalled?(exchange: Exchange): boolean;
}

/** read -> decide -> forward, or refuse; then one record of it. Never throws. */
export async function gateway<Exchange, Out extends Answer>(
  inbound: Inbound,
  exchange: Exchange,
  transport: Transport<Exchange, Out>,
  deps: GatewayDeps,
): Promise<Out> {
  const journey = new Journey();
  const request = readRequest(inbound, deps.proxies, deps.random);
  let out: Out;
  try {
    const preflight = request.fault === undefined && deps.cors.preflight(request.method, request.read);
    if (preflight) {
      record(request, journey, 204, 'preflight', deps);
      return transport.answer(preflightAnswer(preflight, request), exchange);
    }
    // Cached results are synchronous and not awaited.
    const decided = decide(request, journey, deps);
    const decision = decided instanceof Promise ? await decided : decided;
    const asserted = deps.assertion(decision);
    const assertion = asserted instanceof Promise ? await asserted : asserted;
    const passed = onward(request, decision, assertion, deps);
    const passing = {
      set: answerHeaders(request, journey, deps),
      ownsCors: deps.cors.active,
      protocol: answeredProtocol(request, decision),
    };
    const slot = deps.underWay.enter(decision.caller);
    if (slot !== undefined) await slot;
    try {
      out = await transport.upstream.forward(passed, passing, exchange, journey);
    } finally {
      deps.underWay.leave(decision.caller);
    }
  } catch (error) {
    const refusal = toRefusal(error);
    journey.refused(refusal);
    out = transport.answer(refusalAnswer(refusal, request, journey, deps), exchange);
  }
  const stalled = journey.ending === 'client_gone' && transport.stalled?.(exchange) === true;
  record(request, journey, out.status, stalled ? 'client_stalled' : journey.ending, deps);
  return out;
}

/** Answers a request that could not be read whole, for the reason in `inbound.fault`: recorded like any other refusal. */
export function refuse(inbound: Inbound & { readonly fault: Refusal }, deps: GatewayDeps): Problem {
  const journey = new Journey();
  journey.refused(inbound.fault);
  const request = readRequest(inbound, deps.proxies, deps.random);
  const problem = refusalAnswer(inbound.fault, request, journey, deps);
  record(request, journey, problem.status, 'complete', deps);
  return problem;
}

/** Fields that the gateway adds to every answer. */
export function answerHeaders(request: GatewayRequest, journey: Journey, deps: GatewayDeps): string[] {
  const limited = journey.admission?.headers;
  const set =
    limited === undefined
      ? ['x-request-id', request.id]
      : // prettier-ignore
        ['x-request-id', request.id, 'ratelimit-policy', limited['RateLimit-Policy'], 'ratelimit', limited.RateLimit];
  if (deps.cors.active) set.push(...deps.cors.headers(request.read.origin));
  return set;
}

function refusalAnswer(
  refusal: Refusal,
  request: GatewayRequest,
  journey: Journey,
  deps: GatewayDeps,
): Problem {
  deps.requests.fault(refusal, request);
  const problem = toProblem(refusal, request.id);
  const headers = { ...pairs(answerHeaders(request, journey, deps)), ...problem.headers };
  return { ...problem, headers };
}

function preflightAnswer(headers: readonly string[], request: GatewayRequest): Problem {
  return { status: 204, headers: { ...pairs(headers), 'x-request-id': request.id }, body: '' };
}

function pairs(list: readonly string[]): Record<string, string> {
  const made: Record<string, string> = {};
  for (let i = 0; i + 1 < list.length; i += 2) made[list[i] ?? ''] = list[i + 1] ?? '';
  return made;
}

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
