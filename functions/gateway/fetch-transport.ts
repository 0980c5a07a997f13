import type { Problem } from '../../shared/problem.ts';
import type { Upstream } from '../../shared/upstream.ts';
import type { Transport } from './index.ts';
import type { Inbound } from './request.ts';

/** The gateway where requests and answers are the fetch standard's: Workers, and Hono anywhere. */
export function fetchTransport(upstream: Upstream<Request, Response>): Transport<Request, Response> {
  return {
    upstream,
    answer: ({ status, headers, body }: Problem) =>
      new Response(body === '' ? null : body, { status, headers: new Headers(headers) }),
  };
}

/** `peer`: the address of the other end, which only the runtime knows. */
export function inboundOf(request: Request, peer: string): Inbound {
  const headers: string[] = [];
  request.headers.forEach((value, name) => {
    headers.push(name, value);
  });
  return {
    method: request.method,
    target: targetOf(request.url),
    headers,
    peer,
    scheme: request.url.startsWith('https:') ? 'https' : 'http',
    needsHost: false,
  };
}

/** The URL parser has collapsed dot segments already, so what is judged here is also what goes to the upstream. */
export function targetOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  return start < 0 ? '/' : url.slice(start);
}
