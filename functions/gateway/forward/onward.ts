import type { ServerConfig } from '../../../shared/configuration/server.ts';
import { bodyTooLarge, Refusal } from '../../../shared/errors.ts';
import type { OwnPaths } from '../../../shared/edge/function.ts';
import { network } from '../../../shared/edge/address-guard.ts';
import type { UpstreamRequest } from '../../../shared/ports/upstream.ts';
import { bearerProtocol, withoutTokenParameters, withoutTokens } from '../authenticate/places.ts';
import type { Decision } from '../decide.ts';
import { stripPrefix } from '../read/path.ts';
import type { GatewayRequest } from '../read/request.ts';
import type { GatewayConfig } from '../slice.ts';

/** Adds to `headers` who the caller is, in the gateway's words: for the upstream, and for the answer of /forward-auth. */
export function addIdentity(
  headers: string[],
  request: GatewayRequest,
  { principal }: Decision,
  assertion: string | undefined,
): void {
  headers.push('X-Request-ID', request.id);
  if (principal !== undefined)
    headers.push('X-User-ID', principal.subject, 'X-User-Issuer', principal.issuer);
  if (assertion !== undefined) headers.push('X-Gateway-Assertion', assertion);
}

/** A name or an address with its port: not the list that a chain of proxies makes of X-Forwarded-Host. */
const ONE_HOST = /^[\w.:[\]-]+$/;

/** As a trusted proxy or the caller wrote it; undefined when neither wrote one. */
function callersHost({ host, read }: GatewayRequest): string | undefined {
  const given = ONE_HOST.test(host) ? host : read.host;
  return given === undefined || given === '' ? undefined : given;
}

export interface OnwardDeps {
  readonly config: Pick<GatewayConfig, 'targets' | 'upstreamTimeoutMs'> & Pick<ServerConfig, 'maxBodyBytes'>;
  readonly ownPaths: OwnPaths;
}

/**
 * The request for the upstream. It takes a Decision, which only decide() makes: without principal, admission and
 * grant there is nothing to forward. Identity fields were stripped when the request was read; they are set last.
 */
export function onward(
  request: GatewayRequest,
  decision: Decision,
  assertion: string | undefined,
  { config, ownPaths }: OnwardDeps,
): UpstreamRequest {
  const { rule } = decision.match;
  const { read } = request;
  // They win over every rule, also where they cannot be answered: percent-encoded, in absolute-form.
  if (ownPaths.hasSegments(decision.path.segments))
    throw new Refusal('not_found', 'own route in another form');
  const base = config.targets[rule.target];
  if (base === undefined) throw new Refusal('internal_error', `target ${rule.target} is not configured`);
  const path = rule.stripPrefix === undefined ? decision.path : stripPrefix(decision.path, rule.stripPrefix);
  if (read.contentLength > config.maxBodyBytes) throw bodyTooLarge(config.maxBodyBytes, read.contentLength);
  const places = rule.access.kind === 'public' ? undefined : rule.token;
  const headers =
    places === undefined ? read.onward : withoutTokens(read.onward, places, rule.forwardAuthorization);
  // Where a rule looks elsewhere, nobody has judged Authorization: the upstream could believe another caller.
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
    // RFC 6455 §4.1: by GET alone; any other request may have the offer ignored (RFC 9110 §7.8).
    upgrade: read.upgrade === 'websocket' && request.method === 'GET',
    sharer: network(request.address),
  };
}

/** What the caller's WebSocket may take for the agreed subprotocol when the upstream names none. */
export function answeredProtocol({ read }: GatewayRequest, { match }: Decision): string | undefined {
  const looked = match.rule.token?.some(({ kind }) => kind === 'protocol') === true;
  return looked ? bearerProtocol(read.protocols) : undefined;
}
