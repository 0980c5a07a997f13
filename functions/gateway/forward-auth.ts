import { Refusal } from '../../shared/errors.ts';
import { toProblem, toRefusal } from '../../shared/problem.ts';
import { decide } from './decide.ts';
import { answerHeaders, type GatewayDeps } from './index.ts';
import { Journey } from './journey.ts';
import { identityHeaders } from './onward.ts';
import { record } from './record.ts';
import { readRequest, type GatewayRequest, type Inbound } from './request.ts';

/**
 * The gateway's decision without forwarding, for a proxy in front (nginx auth_request, Traefik ForwardAuth, Envoy
 * ext_authz): 200 with identity fields, or the refusal. Which request is meant is believed of a trusted proxy only.
 */
export async function forwardAuth(inbound: Inbound, deps: GatewayDeps): Promise<Response> {
  const journey = new Journey();
  let asked: GatewayRequest | undefined;
  let answer: Response;
  try {
    asked = askedRequest(inbound, deps);
    const decision = await decide(asked, journey, deps);
    const headers = toHeaders(identityHeaders(asked, decision, await deps.assertion(decision)));
    for (const [name, value] of toHeaders(answerHeaders(asked, journey, deps))) headers.set(name, value);
    answer = new Response(null, { status: 200, headers });
  } catch (error) {
    journey.refusal = toRefusal(error);
    const problem = toProblem(journey.refusal, asked?.id ?? deps.random.uuid());
    const headers = asked === undefined ? new Headers() : toHeaders(answerHeaders(asked, journey, deps));
    for (const [name, value] of Object.entries(problem.headers)) headers.set(name, value);
    answer = new Response(problem.body, { status: problem.status, headers });
  }
  record(asked, journey, answer.status, 'complete', deps);
  return answer;
}

function askedRequest(inbound: Inbound, deps: GatewayDeps): GatewayRequest {
  if (!deps.proxies.trusts(inbound.peer)) {
    throw new Refusal('forbidden', 'the peer is not one of TRUSTED_PROXIES', {
      detail: 'Only a proxy listed in TRUSTED_PROXIES may ask for decisions.',
    });
  }
  const request = readRequest(inbound, deps.proxies, deps.random);
  const { forwardedMethod, forwardedUri, contentLength, chunked } = request.read;
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
  return { ...request, method: forwardedMethod, target: forwardedUri };
}

function toHeaders(list: readonly string[]): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < list.length; i += 2) headers.set(list[i] ?? '', list[i + 1] ?? '');
  return headers;
}
