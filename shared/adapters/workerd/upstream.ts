import { nominatedBy, passesOn } from '../../edge/answer-headers.ts';
import { Refusal } from '../../errors.ts';
import type { Platform } from '../../ports/platform.ts';
import {
  CLIENT_GONE,
  type AnswerHeaders,
  type Upstream,
  type UpstreamRequest,
} from '../../ports/upstream.ts';
import { handOn, seen, upstreamIsLate, Watch } from './body.ts';
import { refusalOf } from '../upstream-faults.ts';

export interface FetchUpstreamOptions extends Pick<Platform, 'fetch' | 'conduit'> {
  /** True on Workers: a disconnected client ends everything its request began. Elsewhere its signal is passed on. */
  readonly endsWithClient: boolean;
}

/** Upstream by fetch, where the runtime streams. */
export function fetchUpstream(options: FetchUpstreamOptions): Upstream<Request, Response> {
  return {
    async forward(request, answer, exchange, events) {
      try {
        // Not by the framing fields: over HTTP/2 a body needs neither.
        const plain = options.endsWithClient && (request.contentLength === 0 || exchange.body === null);
        const upstream = await (plain ? inTime(request, options) : watched(request, exchange, options));
        const { status } = upstream;
        events.answered(status);
        events.ended('complete');
        return outgoing(upstream, status, answer);
      } catch (error) {
        if (error instanceof Refusal) throw error;
        if (exchange.signal.aborted) {
          events.ended('client_gone');
          return new Response(null, { status: CLIENT_GONE });
        }
        throw faultOf(error);
      }
    },
  };
}

/**
 * Without a body, on Workers: no signal. There a call to the upstream ends with the answer to its request, so the refusal
 * of a late one ends it as well.
 */
function inTime(request: UpstreamRequest, { fetch }: FetchUpstreamOptions): Promise<Response> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(upstreamIsLate());
    }, request.timeoutMs);
    fetch(request.base + request.path, initOf(request)).then(
      (upstream) => {
        clearTimeout(timer);
        resolve(upstream);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error instanceof Error ? error : new Error('fetch failed', { cause: error }));
      },
    );
  });
}

/** Bounds every wait, the caller's for the upstream and the upstream's for the body; a late side ends the call. */
async function watched(
  request: UpstreamRequest,
  exchange: Request,
  options: FetchUpstreamOptions,
): Promise<Response> {
  const cut = new AbortController();
  const watch = new Watch(cut, request.timeoutMs);
  const signal = options.endsWithClient ? cut.signal : AbortSignal.any([cut.signal, exchange.signal]);
  try {
    return await options.fetch(...call(request, exchange, watch, options.conduit, signal));
  } catch (error) {
    throw cut.signal.reason instanceof Refusal ? cut.signal.reason : error;
  } finally {
    watch.stop();
  }
}

/** The arguments of fetch. */
function call(
  request: UpstreamRequest,
  exchange: Request,
  watch: Watch,
  conduit: FetchUpstreamOptions['conduit'],
  signal: AbortSignal,
): [url: string | Request, init: RequestInit & WorkersInit] {
  const url = request.base + request.path;
  const { method, ...rest } = initOf(request);
  const init = { ...rest, signal };
  if (exchange.body === null || request.contentLength === 0) {
    watch.upstream();
    return [url, { ...init, method }];
  }
  if (method === 'GET' || method === 'HEAD') {
    // fetch accepts no body for them but that of the caller's own Request, which cannot be counted.
    if (request.contentLength < 0) throw new Refusal('invalid_request', UNDECLARED, { detail: UNDECLARED });
    // A copy is read alongside, as the original passes unseen: a silent caller is not the upstream's fault.
    const copy = exchange.clone().body;
    if (copy !== null) void seen(copy, watch);
    // The method is part of it: given again, fetch would reject the body.
    return [new Request(url, exchange), init];
  }
  const { readable, writable } = conduit(request.contentLength);
  void handOn(exchange.body, writable.getWriter(), request.maxBodyBytes, watch);
  return [url, { ...init, method, body: readable, duplex: 'half' }];
}

const UNDECLARED =
  'Declare the length of this body (Content-Length): GET and HEAD pass none on without it here.';

function initOf({ method, headers: list, upgrade }: UpstreamRequest) {
  // A plain object crosses into the runtime in one call; its names are unique, as in the Headers they came from.
  const headers: Record<string, string> = {};
  for (let i = 0; i + 1 < list.length; i += 2) headers[list[i] ?? ''] = list[i + 1] ?? '';
  if (upgrade) headers['Upgrade'] = 'websocket';
  return { method, headers, redirect: 'manual', encodeResponseBody: 'manual' } as const;
}

/** Workers: a body is forwarded as encoded. Other runtimes ignore it. */
interface WorkersInit {
  readonly encodeResponseBody?: 'manual';
}

/** Node has the code in the cause; workerd has none, and logs what it could not read. */
function faultOf(error: unknown): Refusal {
  const inner = error instanceof Error ? (error.cause ?? error) : error;
  if (inner instanceof Error && 'code' in inner) return refusalOf(inner);
  // A TypeError without a cause concerns the call itself: it cannot express the request.
  if (inner instanceof TypeError)
    return new Refusal('invalid_request', 'fetch cannot send this request', { cause: error });
  return new Refusal('upstream_unreachable', 'no connection, or no answer that can be read', {
    cause: error,
  });
}

/** Each read of a member and each change of a field is a call into the runtime: only necessary ones are made. */
function outgoing(upstream: Response, status: number, answer: AnswerHeaders): Response {
  // Given a Response, the runtime copies each Set-Cookie apart, the body as encoded, and the socket of a 101.
  const out = new Response(upstream.body, upstream);
  const { headers } = out;
  const names: string[] = [];
  let connection: string | undefined;
  headers.forEach((value, name) => {
    names.push(name);
    if (name === 'connection') connection = value.toLowerCase();
  });
  const nominated = nominatedBy(connection);
  for (const name of names) if (!passesOn(name, answer.ownsCors, nominated)) headers.delete(name);
  // RFC 9110 §8.6: a 204 must not declare one.
  if (status === 204) headers.delete('content-length');
  const { set, protocol } = answer;
  if (status === 101 && protocol !== undefined && !names.includes('sec-websocket-protocol'))
    headers.set('sec-websocket-protocol', protocol);
  for (let i = 0; i + 1 < set.length; i += 2) {
    const name = set[i] ?? '';
    if (name === 'vary' || name === 'set-cookie') headers.append(name, set[i + 1] ?? '');
    else headers.set(name, set[i + 1] ?? '');
  }
  return out;
}
