import type { Problem } from '../../../shared/edge/problem.ts';
import type { Upstream } from '../../../shared/ports/upstream.ts';
import { malformed, type HeaderList } from '../read/headers.ts';
import type { Transport } from '../pipeline.ts';
import type { Inbound } from '../read/request.ts';

/** The gateway over the fetch standard's Request and Response: Workers, and Hono anywhere. */
export function fetchTransport(upstream: Upstream<Request, Response>): Transport<Request, Response> {
  return {
    upstream,
    answer({ status, headers, cookies = [], body }: Problem) {
      const fields = new Headers(headers);
      for (const cookie of cookies) fields.append('set-cookie', cookie);
      return new Response(body === '' ? null : body, { status, headers: fields });
    },
  };
}

/** RFC 9110 §5.1, §5.5. Node's parser refuses both; workerd's accepts them, bytes over 0x7F replaced. */
const NO_TOKEN = /[^!#$%&'*+\-.^_`|~0-9A-Za-z]/;
const CONTROL = /[\x00-\x08\n-\x1f\x7f]/;

/** Returns the peer address of a request's connection. `bindings`: passed by the runtime with the request. */
export type PeerOf = (headers: HeaderList, bindings: unknown) => string;

/** Each member of a Request is a call into the runtime that allocates: all are read once, here. */
export function inboundOf(request: Request, bindings: unknown, peerOf: PeerOf): Inbound {
  const { method, url } = request;
  const headers: string[] = [];
  let fault: string | undefined;
  request.headers.forEach((value, name) => {
    headers.push(name, value);
    if (NO_TOKEN.test(name)) fault = 'a field name that is no token';
    else if (CONTROL.test(value)) fault = 'a control character in a field value';
  });
  return {
    method,
    target: targetOf(url),
    headers,
    peer: peerOf(headers, bindings),
    scheme: url.startsWith('https:') ? 'https' : 'http',
    needsHost: false,
    fault: fault === undefined ? undefined : malformed(fault),
  };
}

/** The URL parser has collapsed dot segments already, so the judged path is also the forwarded one. */
function targetOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  return start < 0 ? '/' : url.slice(start);
}
