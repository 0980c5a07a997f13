import { nominatedBy, passesOn } from '../../edge/answer-headers.ts';
import { Refusal } from '../../errors.ts';
import type { Platform } from '../../ports/platform.ts';
import {
  CLIENT_GONE,
  type AnswerHeaders,
  type Upstream,
  type UpstreamRequest,
} from '../../ports/upstream.ts';
import { handOn, seen, Watch } from './body.ts';
import { refusalOf } from '../upstream-faults.ts';

export interface FetchUpstreamOptions extends Pick<Platform, 'fetch' | 'conduit'> {
  /** True on Workers: a client that goes away ends everything its request began. Elsewhere its signal is passed on. */
  readonly endsWithClient: boolean;
}

/** Upstream where the runtime has fetch and streams by itself. */
export function fetchUpstream(options: FetchUpstreamOptions): Upstream<Request, Response> {
  return {
    async forward(request, answer, exchange, events) {
      const cut = new AbortController();
      const watch = new Watch(cut, request.timeoutMs);
      const { signal } = cut;
      try {
        const upstream = await options.fetch(...call(request, exchange, watch, options, signal));
        events.answered(upstream.status);
        events.ended('complete');
        return outgoing(upstream, answer);
      } catch (error) {
        if (signal.reason instanceof Refusal) throw signal.reason;
        if (exchange.signal.aborted) {
          events.ended('client_gone');
          return new Response(null, { status: CLIENT_GONE });
        }
        throw faultOf(error);
      } finally {
        watch.stop();
      }
    },
  };
}

/** What fetch is called with. */
function call(
  request: UpstreamRequest,
  exchange: Request,
  watch: Watch,
  { conduit, endsWithClient }: FetchUpstreamOptions,
  cut: AbortSignal,
): [url: string | Request, init: RequestInit & WorkersInit] {
  const url = request.base + request.path;
  const signal = endsWithClient ? cut : AbortSignal.any([cut, exchange.signal]);
  const init = { ...headed(request), signal } as const;
  // Not by the framing fields: over HTTP/2 a body needs neither of them.
  if (exchange.body === null || request.contentLength === 0) {
    watch.upstream();
    return [url, { ...init, method: request.method }];
  }
  if (request.method === 'GET' || request.method === 'HEAD') {
    // fetch takes no body for them but the one that a caller's own request holds, and that one unseen: it cannot be counted.
    if (request.contentLength < 0) throw new Refusal('invalid_request', UNDECLARED, { detail: UNDECLARED });
    // A copy is read alongside: the other one passes unseen, and a caller that falls silent is not the upstream's fault.
    const copy = exchange.clone().body;
    if (copy !== null) void seen(copy, watch);
    // Its method comes with it: named again, fetch would ask for a body that it may have.
    return [new Request(url, exchange), init];
  }
  const { readable, writable } = conduit(request.contentLength);
  void handOn(exchange.body, writable.getWriter(), request.maxBodyBytes, watch);
  return [url, { ...init, method: request.method, body: readable, duplex: 'half' }];
}

const UNDECLARED =
  'Declare the length of this body (Content-Length): GET and HEAD pass none on without it here.';

function headed({ headers: list, upgrade }: UpstreamRequest): RequestInit & WorkersInit {
  // A plain object crosses into the runtime at once; its names are unique, as those of the Headers they came from.
  const headers: Record<string, string> = {};
  for (let i = 0; i + 1 < list.length; i += 2) headers[list[i] ?? ''] = list[i + 1] ?? '';
  if (upgrade) headers['Upgrade'] = 'websocket';
  return { headers, redirect: 'manual', encodeResponseBody: 'manual' };
}

/** Workers: a body is handed on as it is encoded. Other runtimes ignore it. */
interface WorkersInit {
  readonly encodeResponseBody?: 'manual';
}

/** Node keeps the code below the error; workerd has none, and writes what it could not read to its log. */
function faultOf(error: unknown): Refusal {
  const inner = error instanceof Error ? (error.cause ?? error) : error;
  if (inner instanceof Error && 'code' in inner) return refusalOf(inner);
  // A TypeError without a cause is about the call itself: the request cannot be put into it.
  if (inner instanceof TypeError)
    return new Refusal('invalid_request', 'fetch cannot send this request', { cause: error });
  return new Refusal('upstream_unreachable', 'no connection, or no answer that can be read', {
    cause: error,
  });
}

function outgoing(upstream: Response, answer: AnswerHeaders): Response {
  const { status, statusText, headers: fields } = upstream;
  // 101 carries the runtime's own socket, which a new Response has to be given.
  const socket = 'webSocket' in upstream ? { webSocket: upstream.webSocket } : {};
  // Given whole, the fields are copied by the runtime, and every Set-Cookie stays apart.
  const passing = { status, statusText, headers: fields, encodeBody: 'manual', ...socket };
  const out = new Response(upstream.body, passing);
  const nominated = nominatedBy(fields.get('connection')?.toLowerCase());
  fields.forEach((_value, name) => {
    if (!passesOn(name, answer.ownsCors, nominated)) out.headers.delete(name);
  });
  // RFC 9110 §8.6: a 204 must not declare one.
  if (status === 204) out.headers.delete('content-length');
  const { set, protocol } = answer;
  if (status === 101 && protocol !== undefined && !fields.has('sec-websocket-protocol'))
    out.headers.set('sec-websocket-protocol', protocol);
  for (let i = 0; i + 1 < set.length; i += 2) {
    const name = set[i] ?? '';
    if (name === 'vary') out.headers.append(name, set[i + 1] ?? '');
    else out.headers.set(name, set[i + 1] ?? '');
  }
  return out;
}
