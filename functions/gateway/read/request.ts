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
  /** What the runtime found wrong before: then the rest may be incomplete, and serves the answer alone. */
  readonly fault?: Refusal | undefined;
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
  /** Why it may go no further; decide() throws it. Such a request is read too, for its answer and its line in the log. */
  readonly fault: Refusal | undefined;
}

// Traefik writes ws and wss for WebSocket upgrades.
const SCHEME = /^(?:http|ws)s?$/i;
const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
// https://www.w3.org/TR/trace-context/#traceparent-header: version 00; all-zero ids are invalid.
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;

/** Never throws: a request that is refused for its form has an id, an origin and an address all the same. */
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
    // Without an id of the caller's, the trace's serves: one name in logs and traces.
    id: requestId(read.requestId) ?? traceId,
    traceparent: `00-${traceId}-${random.hex(8)}-${trace?.[2] ?? '01'}`,
    continuesTrace: trace !== null,
    fault: inbound.fault ?? read.fault ?? faultOf(inbound, read),
  };
}

function faultOf({ method, target, needsHost }: Inbound, read: ReadHeaders): Refusal | undefined {
  if (target.length > MAX_HEAD_BYTES) return headTooLarge('The request target has', target.length);
  // RFC 9110 §9.3.8: it would send back the token and the assertion; fetch() cannot send it either.
  if (method === 'TRACE') return malformed('TRACE is not passed on');
  if (needsHost && read.host === undefined) return malformed('no Host header');
  return undefined;
}

/** The caller's id only when it is one word of a modest alphabet: it goes into logs and headers. */
export function requestId(given: string | undefined): string | undefined {
  return given !== undefined && REQUEST_ID.test(given) ? given : undefined;
}
