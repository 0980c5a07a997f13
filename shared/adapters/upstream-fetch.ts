import { nominatedBy, passesOn } from '../answer-headers.ts';
import { Refusal } from '../errors.ts';
import type { Fetch } from '../ports.ts';
import type { AnswerHeaders, Upstream, UpstreamRequest } from '../upstream.ts';

/**
 * Upstream where the runtime has fetch and streams by itself (Workers). A client that goes away cancels through
 * the request's own signal; the bodies are never read here.
 */
export function fetchUpstream(fetch: Fetch): Upstream<Request, Response> {
  return {
    async forward(request, answer, exchange, events) {
      if (request.contentLength > request.maxBodyBytes) throw tooLarge('declared');
      const timer = new AbortController();
      const timeout = setTimeout(() => {
        timer.abort(TIMED_OUT);
      }, request.timeoutMs);
      const overrun: Overrun = { refusal: undefined };
      try {
        const upstream = await fetch(request.base + request.path, {
          ...init(request, exchange, overrun),
          signal: AbortSignal.any([timer.signal, exchange.signal]),
        });
        events.answered(upstream.status);
        events.ended('complete');
        return outgoing(upstream, answer);
      } catch (error) {
        if (overrun.refusal !== undefined) throw overrun.refusal;
        if (timer.signal.aborted)
          throw new Refusal('upstream_timeout', 'no answer in time', { cause: error });
        if (exchange.signal.aborted) {
          events.ended('client_gone');
          // 499 reaches nobody: it is for the log.
          return new Response(null, { status: 499 });
        }
        throw new Refusal('upstream_unreachable', 'connection failed', { cause: error });
      } finally {
        clearTimeout(timeout);
      }
    },
  };
}

const TIMED_OUT = new Error('timed out');

interface Overrun {
  refusal: Refusal | undefined;
}

function init(request: UpstreamRequest, exchange: Request, overrun: Overrun): RequestInit {
  const headers = new Headers();
  const list = request.headers;
  for (let i = 0; i + 1 < list.length; i += 2) headers.append(list[i] ?? '', list[i + 1] ?? '');
  const upgrade = exchange.headers.get('upgrade');
  if (upgrade?.toLowerCase() === 'websocket') headers.set('Upgrade', 'websocket');
  const bare: RequestInit = { method: request.method, headers, redirect: 'manual', ...ENCODED };
  if (!request.hasBody || exchange.body === null) return bare;
  // A declared length is enforced by the runtime's framing; only a chunked body has to be counted.
  const body =
    request.contentLength >= 0
      ? exchange.body
      : exchange.body.pipeThrough(counting(request.maxBodyBytes, overrun));
  return { ...bare, body, duplex: 'half' };
}

/** Workers: hand the body on as it is encoded (ignored by other runtimes). */
const ENCODED: RequestInit = { encodeResponseBody: 'manual' } as RequestInit;

function counting(maxBytes: number, overrun: Overrun): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      if (bytes <= maxBytes) controller.enqueue(chunk);
      else controller.error((overrun.refusal = tooLarge('streamed')));
    },
  });
}

function tooLarge(how: string): Refusal {
  return new Refusal('body_too_large', `${how} over MAX_BODY_BYTES`);
}

function outgoing(upstream: Response, answer: AnswerHeaders): Response {
  const nominated = nominatedBy(upstream.headers.get('connection')?.toLowerCase());
  // Copying keeps every Set-Cookie apart.
  const headers = new Headers(upstream.headers);
  for (const name of [...headers.keys()])
    if (!passesOn(name, answer.ownsCors, nominated)) headers.delete(name);
  const { set } = answer;
  for (let i = 0; i + 1 < set.length; i += 2) {
    const name = set[i] ?? '';
    if (name === 'vary') headers.append(name, set[i + 1] ?? '');
    else headers.set(name, set[i + 1] ?? '');
  }
  const { status, statusText } = upstream;
  // 101 carries the runtime's own socket, which a new Response has to be given.
  const socket = 'webSocket' in upstream ? { webSocket: upstream.webSocket } : {};
  const passing = { status, statusText, headers, encodeBody: 'manual', ...socket };
  return new Response(upstream.body, passing);
}
