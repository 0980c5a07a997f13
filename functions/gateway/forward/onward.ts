import type { ServerConfig } from '../../../shared/configuration/server.ts';
import { bodyTooLarge, Refusal } from '../../../shared/errors.ts';
import type { OwnPaths } from '../../../shared/edge/function.ts';
import { network } from '../../../shared/edge/quota.ts';
import type { UpstreamRequest } from '../../../shared/ports/upstream.ts';
import { isOwnCookie } from '../../../shared/sessions/cookies.ts';
import {
  bearerProtocol,
  withoutCookies,
  withoutTokenParameters,
  withoutTokens,
} from '../authenticate/places.ts';
import type { Decision } from '../decide.ts';
import { stripPrefix } from '../read/path.ts';
import type { GatewayRequest } from '../read/request.ts';
import type { GatewayConfig } from '../slice.ts';

/** Adds the gateway's identity fields to `headers`: for the upstream, and for the answer of /forward-auth. */
export function addIdentity(
  headers: string[],
  request: GatewayRequest,
  { principal, tenancy }: Decision,
  assertion: string | undefined,
): void {
  headers.push('X-Request-ID', request.id);
  if (principal !== undefined)
    headers.push('X-User-ID', principal.subject, 'X-User-Issuer', principal.issuer);
  if (tenancy !== undefined) headers.push(...tenancy.fields);
  if (assertion !== undefined) headers.push('X-Gateway-Assertion', assertion);
}

/** A name or an address with its port: not the list that a chain of proxies builds in X-Forwarded-Host. */
const ONE_HOST = /^[\w.:[\]-]+$/;

/** Host as sent by a trusted proxy or the caller; undefined when neither sent one. */
function callersHost({ host, read }: GatewayRequest): string | undefined {
  const given = ONE_HOST.test(host) ? host : read.host;
  return given === undefined || given === '' ? undefined : given;
}

export interface OnwardDeps {
  readonly config: Pick<GatewayConfig, 'targets' | 'upstreamTimeoutMs'> & Pick<ServerConfig, 'maxBodyBytes'>;
  readonly ownPaths: OwnPaths;
  /** Names of the cookies of our own sessions; those and what is named alike are never forwarded. Absent: there are none. */
  readonly sessionCookies?: { readonly access: string } | undefined;
}

/**
 * Builds the request for the upstream. Requires a Decision, which only decide() makes: without principal, admission and
 * grant there is nothing to forward. Identity fields were stripped when the request was read; they are set last.
 */
export function onward(
  request: GatewayRequest,
  decision: Decision,
  assertion: string | undefined,
  { config, ownPaths, sessionCookies }: OnwardDeps,
): UpstreamRequest {
  const { rule } = decision.match;
  const { read } = request;
  // Own paths win over every rule, also in forms that cannot be answered: percent-encoded, absolute-form.
  if (ownPaths.hasSegments(decision.path.segments))
    throw new Refusal('not_found', 'own route in another form');
  const base = config.targets[rule.target];
  if (base === undefined) throw new Refusal('internal_error', `target ${rule.target} is not configured`);
  const path = rule.stripPrefix === undefined ? decision.path : stripPrefix(decision.path, rule.stripPrefix);
  if (read.contentLength > config.maxBodyBytes) throw bodyTooLarge(config.maxBodyBytes, read.contentLength);
  const places = rule.access.kind === 'public' ? undefined : rule.token;
  const onward =
    sessionCookies !== undefined && read.cookie?.includes(sessionCookies.access) === true
      ? withoutCookies(read.onward, (name) => isOwnCookie(name, sessionCookies))
      : read.onward;
  const headers = places === undefined ? onward : withoutTokens(onward, places, rule.forwardAuthorization);
  // Where a rule reads the token elsewhere, Authorization is unverified: the upstream could see another caller.
  const judged = places === undefined || places.some(({ kind }) => kind === 'header');
  if (rule.forwardAuthorization && judged && read.authorization !== undefined)
    headers.push('Authorization', read.authorization);
  if (request.continuesTrace && read.tracestate !== undefined) headers.push('tracestate', read.tracestate);
  headers.push('traceparent', request.traceparent);
  headers.push('X-Forwarded-For', request.address, 'X-Forwarded-Proto', request.scheme);
  headers.push('X-Forwarded-Host', request.host);
  addIdentity(headers, request, decision, assertion);
  return {
    target: rule.target,
    base,
    method: request.method,
    path: path.path + (places === undefined ? path.query : withoutTokenParameters(path.query, places)),
    headers,
    host: rule.preserveHost ? callersHost(request) : undefined,
    timeoutMs: rule.timeoutMs ?? config.upstreamTimeoutMs,
    maxBodyBytes: config.maxBodyBytes,
    contentLength: read.contentLength,
    hasBody: read.chunked || read.contentLength > 0,
    // RFC 6455 §4.1: GET only; on any other request the offer may be ignored (RFC 9110 §7.8).
    upgrade: read.upgrade === 'websocket' && request.method === 'GET',
    sharer: network(request.address),
  };
}

/** The subprotocol answered to the caller's WebSocket when the upstream selects none. */
export function answeredProtocol({ read }: GatewayRequest, { match }: Decision): string | undefined {
  const looked = match.rule.token?.some(({ kind }) => kind === 'protocol') === true;
  return looked ? bearerProtocol(read.protocols) : undefined;
}
