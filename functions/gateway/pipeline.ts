import type { Refusal } from '../../shared/errors.ts';
import { toProblem, toRefusal, type Problem } from '../../shared/edge/problem.ts';
import type { LocalCounters } from '../../shared/edge/quota.ts';
import type { Cors } from '../../shared/edge/cors.ts';
import type { MaybePromise, Random } from '../../shared/ports/runtime.ts';
import type { TrustedProxies } from '../../shared/edge/trusted-proxies.ts';
import type { Answer, Upstream } from '../../shared/ports/upstream.ts';
import { decide, type DecideDeps, type Decision } from './decide.ts';
import type { UnderWay } from './limit/limit.ts';
import { answeredProtocol, onward, type OnwardDeps } from './forward/onward.ts';
import { Journey, record, type RecordDeps } from './journey.ts';
import { readRequest, type GatewayRequest, type Inbound } from './read/request.ts';

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
    const decided = decide(request, journey, deps, journey);
    const decision = decided instanceof Promise ? await decided : decided;
    const asserted = deps.assertion(decision);
    const assertion = asserted instanceof Promise ? await asserted : asserted;
    const passed = onward(request, decision, assertion, deps);
    const passing = {
      set: answerFields(request, journey, deps),
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

/** Those of answerHeaders(), and the cookies of a renewed session: no cache may hand them to anybody else. */
function answerFields(request: GatewayRequest, journey: Journey, deps: GatewayDeps): string[] {
  const set = answerHeaders(request, journey, deps);
  if (journey.cookies === undefined) return set;
  for (const cookie of journey.cookies) set.push('set-cookie', cookie);
  set.push('cache-control', 'no-store');
  return set;
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
  return { ...problem, headers, ...(journey.cookies !== undefined && { cookies: journey.cookies }) };
}

function preflightAnswer(headers: readonly string[], request: GatewayRequest): Problem {
  return { status: 204, headers: { ...pairs(headers), 'x-request-id': request.id }, body: '' };
}

function pairs(list: readonly string[]): Record<string, string> {
  const made: Record<string, string> = {};
  for (let i = 0; i + 1 < list.length; i += 2) made[list[i] ?? ''] = list[i + 1] ?? '';
  return made;
}
