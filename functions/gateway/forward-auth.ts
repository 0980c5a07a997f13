import { countRefusal } from '../../shared/edge/quota.ts';
import { Refusal } from '../../shared/errors.ts';
import { toProblem, toRefusal } from '../../shared/edge/problem.ts';
import { callerOf } from './limit/limit.ts';
import { decide } from './decide.ts';
import { answerHeaders, type GatewayDeps } from './pipeline.ts';
import { Journey } from './journey.ts';
import { limit } from './limit/limit.ts';
import { addIdentity } from './forward/onward.ts';
import { judgePath } from './read/path.ts';
import { record } from './journey.ts';
import { readRequest, type GatewayRequest, type Inbound } from './read/request.ts';

/**
 * The gateway's decision without forwarding, for a proxy in front (nginx auth_request, Traefik ForwardAuth, Envoy
 * ext_authz): 200 with identity fields, or the refusal. Only a trusted proxy may name the request.
 */
export async function forwardAuth(inbound: Inbound, deps: GatewayDeps): Promise<Response> {
  const journey = new Journey();
  let call = readRequest(inbound, deps.proxies, deps.random);
  let ending: 'complete' | 'preflight' = 'complete';
  let answer: Response;
  try {
    if (call.fault !== undefined) throw call.fault;
    checkProxy(call, inbound, deps);
    const forwarded = (call = forwardedRequest(call));
    const preflight = deps.cors.preflight(forwarded.method, forwarded.read);
    const fields: string[] = [];
    if (preflight !== undefined) {
      ending = 'preflight';
      await admitPreflight(forwarded, journey, deps);
      fields.push(...preflight);
    } else {
      const decision = await decide(forwarded, journey, deps);
      addIdentity(fields, forwarded, decision, await deps.assertion(decision));
    }
    const headers = toHeaders([...answerHeaders(forwarded, journey, deps), ...fields]);
    answer = new Response(null, { status: 200, headers });
  } catch (error) {
    const refusal = toRefusal(error);
    journey.refused(refusal);
    deps.requests.fault(refusal, call);
    const problem = toProblem(refusal, call.id);
    const headers = toHeaders(answerHeaders(call, journey, deps));
    for (const [name, value] of Object.entries(problem.headers)) headers.set(name, value);
    answer = new Response(problem.body, { status: problem.status, headers });
  }
  record(call, journey, answer.status, ending, deps);
  return answer;
}

/** Untrusted peers are counted by address, as on every own route; a proxy's calls by the caller they are about. */
function checkProxy({ address }: GatewayRequest, { peer }: Inbound, { proxies, guard }: GatewayDeps): void {
  if (proxies.trusts(peer)) return;
  const refusal = new Refusal('forbidden', 'the peer is not one of TRUSTED_PROXIES', {
    detail: 'Only a proxy listed in TRUSTED_PROXIES may ask for decisions.',
  });
  throw countRefusal(refusal, address, guard);
}

function forwardedRequest(call: GatewayRequest): GatewayRequest {
  const { forwardedMethod, forwardedUri, contentLength, chunked } = call.read;
  if (forwardedMethod === undefined || forwardedUri === undefined) {
    const detail = 'X-Forwarded-Method and X-Forwarded-Uri say which request is meant.';
    throw new Refusal('invalid_request', 'X-Forwarded-Method or X-Forwarded-Uri is missing', { detail });
  }
  if (contentLength > 0 || chunked) {
    throw new Refusal('invalid_request', 'a body on the decision call', {
      detail: 'A decision needs no body.',
    });
  }
  if (!/^[A-Z]{1,32}$/.test(forwardedMethod))
    throw new Refusal('invalid_request', 'malformed X-Forwarded-Method');
  return { ...call, method: forwardedMethod, target: forwardedUri };
}

/**
 * A preflight carries no token and is forwarded to the API: so only for a path and a method that some rule names, and on
 * the quota of its address. Throws Refusal as decide() does.
 */
async function admitPreflight(forwarded: GatewayRequest, journey: Journey, deps: GatewayDeps): Promise<void> {
  const { segments } = judgePath(forwarded.target);
  const match = deps.rules().match(forwarded.read.preflightMethod ?? '', segments);
  if (match === undefined) throw new Refusal('no_rule', 'no rule for the method and path of this preflight');
  journey.matched(match);
  journey.authenticated(undefined);
  const caller = callerOf(undefined, forwarded.address);
  journey.limited(await limit({ caller, policy: deps.defaultRate }, deps));
}

function toHeaders(list: readonly string[]): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < list.length; i += 2) headers.set(list[i] ?? '', list[i + 1] ?? '');
  return headers;
}
