import { Readable } from 'node:stream';
import { Pool, type Dispatcher } from 'undici';
import { nominatedBy, passesOn } from '../answer-headers.ts';
import { Refusal } from '../errors.ts';
import type {
  Answer,
  AnswerHeaders,
  ForwardEvents,
  NodeExchange,
  Upstream,
  UpstreamRequest,
} from '../upstream.ts';
import { boundedBody } from './bounded-body.ts';

// A connection that takes longer will hardly open at all.
const CONNECT_TIMEOUT_MS = 5_000;
const CONNECTIONS_PER_TARGET = 1_024;
/** Bodies up to this size are worth a copy to save a system call. */
const ONE_WRITE_BYTES = 8_192;

/** Failures of a connection that never opened: nothing was sent, so a second try repeats nothing. */
const NEVER_OPENED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH']);
const TIMEOUTS = new Set([
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'ETIMEDOUT',
]);

interface Target {
  readonly pool: Pool;
  readonly basePath: string;
}

export interface NodeUpstream extends Upstream<NodeExchange, Answer> {
  close(): Promise<void>;
}

/**
 * Upstream of the Node entry: undici's dispatcher writes straight into the ServerResponse, without a Request,
 * a Response or a web stream between them.
 */
export function undiciUpstream(): NodeUpstream {
  const targets = new Map<string, Target>();
  const targetOf = (base: string): Target => {
    const known = targets.get(base);
    if (known !== undefined) return known;
    const url = new URL(base);
    const made = {
      pool: new Pool(url.origin, {
        connections: CONNECTIONS_PER_TARGET,
        pipelining: 1,
        connect: { timeout: CONNECT_TIMEOUT_MS },
      }),
      basePath: url.pathname.replace(/\/+$/, ''),
    };
    targets.set(base, made);
    return made;
  };
  return {
    async forward(request, answer, exchange, events) {
      refuseDeclaredExcess(request);
      const target = targetOf(request.base);
      try {
        return await new Passage(request, answer, exchange, events).through(target);
      } catch (error) {
        if (!neverOpened(error)) throw asRefusal(error);
      }
      try {
        return await new Passage(request, answer, exchange, events).through(target);
      } catch (error) {
        throw asRefusal(error);
      }
    },
    async close() {
      await Promise.all([...targets.values()].map(({ pool }) => pool.close()));
    },
  };
}

/** One try at one exchange. */
class Passage implements Dispatcher.DispatchHandler {
  private readonly request: UpstreamRequest;
  private readonly answer: AnswerHeaders;
  private readonly exchange: NodeExchange;
  private readonly events: ForwardEvents;
  private resolve: (answer: Answer) => void = () => undefined;
  private reject: (error: unknown) => void = () => undefined;
  private controller: Dispatcher.DispatchController | undefined;
  private status = 0;
  /** Declared length of the answer; -1 when it has none. */
  private bodyBytes = -1;
  private done = false;

  constructor(
    request: UpstreamRequest,
    answer: AnswerHeaders,
    exchange: NodeExchange,
    events: ForwardEvents,
  ) {
    this.request = request;
    this.answer = answer;
    this.exchange = exchange;
    this.events = events;
  }

  through(target: Target): Promise<Answer> {
    const { request, exchange } = this;
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      exchange.response.once('close', this.clientClosed);
      target.pool.dispatch(
        {
          path: target.basePath + request.path,
          method: request.method,
          headers: request.headers,
          // A generator is untouched until undici reads it: a connection that never opened leaves the body whole.
          body: request.hasBody ? Readable.from(boundedBody(exchange.request, request.maxBodyBytes)) : null,
          headersTimeout: request.timeoutMs,
          bodyTimeout: request.timeoutMs,
        },
        this,
      );
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.exchange.response.destroyed) controller.abort(new Error('client gone'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // 1xx: undici has dealt with it; only a final answer passes on.
    if (status < 200) return;
    this.status = status;
    this.events.answered(status);
    const { response } = this.exchange;
    const out = outgoing(headers, this.answer);
    this.bodyBytes = typeof out['content-length'] === 'string' ? Number(out['content-length']) : -1;
    response.writeHead(status, out);
    // A body that comes with its head leaves together with it; otherwise the head must not wait (event streams).
    process.nextTick(sendHead, response);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { response } = this.exchange;
    if (chunk.byteLength === this.bodyBytes && chunk.byteLength <= ONE_WRITE_BYTES) {
      // The whole body: as a string Node joins it to the head, one write instead of a vectored one.
      response.end(chunk.toString('latin1'), 'latin1');
      return;
    }
    if (response.write(chunk)) return;
    controller.pause();
    response.once('drain', () => {
      controller.resume();
    });
  }

  onResponseEnd(): void {
    const { response } = this.exchange;
    if (!response.writableEnded) response.end();
    this.settle('complete');
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const { response } = this.exchange;
    if (this.done) return;
    if (this.status === 0) {
      this.done = true;
      response.off('close', this.clientClosed);
      if (response.destroyed) {
        this.events.ended('client_gone');
        this.resolve({ status: 499 });
      } else this.reject(error);
      return;
    }
    // The status line is out: the only honest sign of a cut answer is a cut connection.
    response.destroy();
    this.settle('upstream_broke');
  }

  private readonly clientClosed = (): void => {
    if (this.done) return;
    if (this.exchange.response.writableFinished) return;
    this.settle('client_gone');
    this.controller?.abort(new Error('client gone'));
  };

  private settle(ending: 'complete' | 'client_gone' | 'upstream_broke'): void {
    if (this.done) return;
    this.done = true;
    this.exchange.response.off('close', this.clientClosed);
    this.events.ended(ending);
    this.resolve({ status: this.status === 0 ? 499 : this.status });
  }
}

function sendHead(response: NodeExchange['response']): void {
  if (!response.writableEnded) response.flushHeaders();
}

function outgoing(
  headers: Record<string, string | string[] | undefined>,
  answer: AnswerHeaders,
): Record<string, string | string[]> {
  const { connection } = headers;
  const nominated = nominatedBy(typeof connection === 'string' ? connection : connection?.join(','));
  const out: Record<string, string | string[]> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined && passesOn(name, answer.ownsCors, nominated)) out[name] = value;
  }
  const { set } = answer;
  for (let i = 0; i + 1 < set.length; i += 2) {
    const name = set[i] ?? '';
    const value = set[i + 1] ?? '';
    const before = out[name];
    out[name] = name === 'vary' && before !== undefined ? `${String(before)}, ${value}` : value;
  }
  return out;
}

function refuseDeclaredExcess(request: UpstreamRequest): void {
  if (request.contentLength > request.maxBodyBytes) {
    throw new Refusal('body_too_large', 'declared over MAX_BODY_BYTES', { headers: { connection: 'close' } });
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function neverOpened(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(neverOpened);
  return NEVER_OPENED.has(codeOf(error));
}

function asRefusal(error: unknown): unknown {
  if (error instanceof Refusal) return error;
  if (error instanceof Error && error.cause instanceof Refusal) return error.cause;
  const code = codeOf(error);
  return TIMEOUTS.has(code)
    ? new Refusal('upstream_timeout', `no answer in time (${code})`, { cause: error })
    : new Refusal('upstream_unreachable', `connection failed (${code || 'unknown'})`, { cause: error });
}
