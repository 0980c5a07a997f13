import { nominatedBy, passesOn } from '../answer-headers.ts';
import { bodyTooLarge, Refusal } from '../errors.ts';
import type { Fetch } from '../ports.ts';
import type { AnswerHeaders, Upstream, UpstreamRequest } from '../upstream.ts';

export interface FetchUpstreamOptions {
  readonly fetch: Fetch;
  /** True on Workers: a client that goes away ends everything its request began. Elsewhere its signal is passed on. */
  readonly endsWithClient: boolean;
}

/** Upstream where the runtime has fetch and streams by itself; bodies are never read here. */
export function fetchUpstream({ fetch, endsWithClient }: FetchUpstreamOptions): Upstream<Request, Response> {
  return {
    async forward(request, answer, exchange, events) {
      const cut = new AbortController();
      const timeout = setTimeout(() => {
        cut.abort(new Refusal('upstream_timeout', 'no answer in time'));
      }, request.timeoutMs);
      const signal = endsWithClient ? cut.signal : AbortSignal.any([cut.signal, exchange.signal]);
      try {
        const upstream = await fetch(request.base + request.path, init(request, exchange, cut, signal));
        events.answered(upstream.status);
        events.ended('complete');
        return outgoing(upstream, answer);
      } catch (error) {
        if (cut.signal.reason instanceof Refusal) throw cut.signal.reason;
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

function init(
  request: UpstreamRequest,
  exchange: Request,
  cut: AbortController,
  signal: AbortSignal,
): RequestInit & WorkersInit {
  // A plain object crosses into the runtime at once; its names are unique, as those of the Headers they came from.
  const headers: Record<string, string> = {};
  const list = request.headers;
  for (let i = 0; i + 1 < list.length; i += 2) headers[list[i] ?? ''] = list[i + 1] ?? '';
  if (request.upgrade) headers['Upgrade'] = 'websocket';
  const { method } = request;
  const bare = { method, headers, redirect: 'manual', encodeResponseBody: 'manual', signal } as const;
  // Not by the framing fields: over HTTP/2 a body needs neither of them.
  if (exchange.body === null) return bare;
  // A declared length is enforced by the runtime's framing; only a chunked body has to be counted.
  const body = request.contentLength >= 0 ? exchange.body : counted(exchange.body, request.maxBodyBytes, cut);
  return { ...bare, body, duplex: 'half' };
}

/** Workers: a body is handed on as it is encoded. Other runtimes ignore it. */
interface WorkersInit {
  readonly encodeResponseBody?: 'manual';
}

/**
 * A body that cuts the whole call when it breaks off or exceeds `maxBytes`. Never by an error of the stream: workerd
 * ends the chunked body of a failed stream as if it were whole, and the upstream would act on half of it.
 */
function counted(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  cut: AbortController,
): ReadableStream<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  handOn(body, writable.getWriter(), maxBytes).catch((error: unknown) => {
    const broken = new Refusal('invalid_request', 'the body broke off', { cause: error });
    cut.abort(error instanceof Refusal ? error : broken);
  });
  return readable;
}

/** Rejects when the body breaks off, and with Refusal `body_too_large`. */
async function handOn(
  body: ReadableStream<Uint8Array>,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  maxBytes: number,
): Promise<void> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw bodyTooLarge(maxBytes);
    // An upstream that wants no more says why in its answer.
    if (!(await succeeds(writer.write(chunk)))) return;
  }
  await succeeds(writer.close());
}

function succeeds(step: Promise<void>): Promise<boolean> {
  return step.then(
    () => true,
    () => false,
  );
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
