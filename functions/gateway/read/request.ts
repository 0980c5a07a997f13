import type { Refusal } from '../../../shared/errors.ts';
import type { Random } from '../../../shared/ports/runtime.ts';
import { nearest, type TrustedProxies } from '../../../shared/edge/trusted-proxies.ts';
import {
  headTooLarge,
  HOST,
  malformed,
  MAX_HEAD_BYTES,
  readHeaders,
  type HeaderList,
  type ReadHeaders,
} from './headers.ts';

/** A request as the runtime received it; unverified. */
export interface Inbound {
  readonly method: string;
  /** RFC 9112 request-target, as raw as the runtime provides it. */
  readonly target: string;
  readonly headers: HeaderList;
  /** Address of the other end of the connection. */
  readonly peer: string;
  readonly scheme: 'http' | 'https';
  /** HTTP/1.1 requires a Host field (RFC 9112 §3.2); false where the runtime has checked it. */
  readonly needsHost: boolean;
  /** Found by the runtime: the other members may be incomplete then, and serve the answer alone. */
  readonly fault?: Refusal | undefined;
}

/** A request read once, for all later steps. */
export interface GatewayRequest {
  readonly method: string;
  readonly target: string;
  readonly read: ReadHeaders;
  /** The caller's address: the peer's, or the one that trusted proxies forward. */
  readonly address: string;
  readonly scheme: string;
  /** Host as sent by the caller; informative only, it never selects a target. */
  readonly host: string;
  readonly id: string;
  readonly traceparent: string;
  /** True when tracestate may be forwarded: the caller's trace continues. */
  readonly continuesTrace: boolean;
  /** Why it is refused; decide() throws it. Such a request is read too, for its answer and its log line. */
  readonly fault: Refusal | undefined;
}

// Traefik sends ws and wss for WebSocket upgrades.
const SCHEME = /^(?:http|ws)s?$/i;
const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
// https://www.w3.org/TR/trace-context/#traceparent-header: version 00; all-zero ids are invalid.
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;

/** Never throws: a malformed request still has an id, an origin and an address. */
export function readRequest(inbound: Inbound, proxies: TrustedProxies, random: Random): GatewayRequest {
  const read = readHeaders(inbound.headers);
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
    // Without a request id of the caller's, the trace id: one name in logs and traces.
    id: requestId(read.requestId) ?? traceId,
    traceparent: `00-${traceId}-${random.hex(8)}-${trace?.[2] ?? '01'}`,
    continuesTrace: trace !== null,
    fault: inbound.fault ?? read.fault ?? faultOf(inbound, read),
  };
}

function faultOf({ method, target, needsHost }: Inbound, read: ReadHeaders): Refusal | undefined {
  if (target.length > MAX_HEAD_BYTES) return headTooLarge('The request target has', target.length);
  // RFC 9110 §9.3.8: it would echo the token and the assertion; fetch() cannot send it either.
  if (method === 'TRACE') return malformed('TRACE is not passed on');
  if (needsHost && read.host === undefined) return malformed('no Host header');
  return undefined;
}

/** The caller's id only when it is one word of a small alphabet: it goes into logs and headers. */
export function requestId(given: string | undefined): string | undefined {
  return given !== undefined && REQUEST_ID.test(given) ? given : undefined;
}
