import type { Random } from '../../shared/ports.ts';
import { nearest, type TrustedProxies } from '../../shared/trusted-proxies.ts';
import { HOST, malformed, readHeaders, type HeaderList, type ReadHeaders } from './headers.ts';

/** A request as the runtime hands it over; nothing in it is believed yet. */
export interface Inbound {
  readonly method: string;
  /** RFC 9112 request-target, as raw as the runtime has it. */
  readonly target: string;
  readonly headers: HeaderList;
  /** Address of the other end of the connection. */
  readonly peer: string;
  readonly scheme: 'http' | 'https';
  /** HTTP/1.1 asks for a Host field (RFC 9112 §3.2); false where the runtime has seen to it. */
  readonly needsHost: boolean;
}

/** A request read once: everything later steps ask for. */
export interface GatewayRequest {
  readonly method: string;
  readonly target: string;
  readonly read: ReadHeaders;
  /** The caller's address: the peer, or what trusted proxies say of it. */
  readonly address: string;
  readonly scheme: string;
  /** Host as the caller wrote it; informative only, it never chooses a target. */
  readonly host: string;
  readonly id: string;
  readonly traceparent: string;
  /** True when tracestate may pass on: the caller's own trace goes on. */
  readonly continuesTrace: boolean;
}

// Traefik says ws and wss of WebSocket upgrades.
const SCHEME = /^(?:http|ws)s?$/i;
const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
// https://www.w3.org/TR/trace-context/#traceparent-header: version 00; all-zero ids are invalid.
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;

/** Throws Refusal `invalid_request`. */
export function readRequest(inbound: Inbound, proxies: TrustedProxies, random: Random): GatewayRequest {
  // RFC 9110 §9.3.8: it would send back the token and the assertion; fetch() cannot send it either.
  if (inbound.method === 'TRACE') throw malformed('TRACE is not passed on');
  const read = readHeaders(inbound.headers);
  if (inbound.needsHost && read.host === undefined) throw malformed('no Host header');
  const trusted = proxies.trusts(inbound.peer);
  const trace = read.traceparent === undefined ? null : TRACEPARENT.exec(read.traceparent);
  const traceId = trace?.[1] ?? random.hex(16);
  return {
    method: inbound.method,
    target: inbound.target,
    read,
    address: proxies.client(inbound.peer, read.forwardedFor),
    scheme: (trusted && nearest(read.forwardedProto, SCHEME)) || inbound.scheme,
    host: (trusted && nearest(read.forwardedHost, HOST)) || (read.host ?? ''),
    // Without an id of the caller's, the trace's serves: one name in logs and traces.
    id: requestId(read.requestId) ?? traceId,
    traceparent: `00-${traceId}-${random.hex(8)}-${trace?.[2] ?? '01'}`,
    continuesTrace: trace !== null,
  };
}

/** The caller's id only when it is one word of a modest alphabet: it goes into logs and headers. */
function requestId(given: string | undefined): string | undefined {
  return given !== undefined && REQUEST_ID.test(given) ? given : undefined;
}
