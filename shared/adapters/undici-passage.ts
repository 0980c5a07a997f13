import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { nominatedBy, passesOn } from '../answer-headers.ts';
import type {
  Answer,
  AnswerHeaders,
  Ending,
  ForwardEvents,
  NodeExchange,
  UpstreamRequest,
} from '../upstream.ts';
import { boundedBody } from './bounded-body.ts';
import type { UndiciTarget } from './undici-target.ts';

/** Bodies up to this size are worth a copy to save a system call. */
const ONE_WRITE_BYTES = 8_192;
/** nginx's code for a caller that went away; it reaches nobody, it is for the log. */
const CLIENT_GONE = 499;

type AnswerFields = Readonly<Record<string, string | string[] | undefined>>;

/** One try at one exchange: undici's events written straight into the ServerResponse. */
export class Passage implements Dispatcher.DispatchHandler {
  private readonly request: UpstreamRequest;
  private readonly answer: AnswerHeaders;
  private readonly exchange: NodeExchange;
  private readonly events: ForwardEvents;
  private readonly target: UndiciTarget;
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
    target: UndiciTarget,
  ) {
    this.request = request;
    this.answer = answer;
    this.exchange = exchange;
    this.events = events;
    this.target = target;
  }

  /** Rejects with undici's error while nothing was answered yet. */
  through(): Promise<Answer> {
    const { request, exchange, target } = this;
    const { host, headers } = request;
    const options: Dispatcher.DispatchOptions & { readonly servername: string } = {
      path: target.basePath + request.path,
      method: request.method,
      headers: host === undefined ? headers : [...headers, 'Host', host],
      // Otherwise undici takes a caller's Host for the name in the target's certificate, and reconnects for each.
      servername: target.servername,
      // A generator is untouched until undici reads it: a connection that never opened leaves the body whole.
      body: request.hasBody ? Readable.from(boundedBody(exchange.request, request.maxBodyBytes)) : null,
      headersTimeout: request.timeoutMs,
      bodyTimeout: request.timeoutMs,
    };
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      exchange.response.on('close', this.clientClosed);
      target.pool.dispatch(options, this);
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.exchange.response.destroyed) controller.abort(new Error('client gone'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, fields: AnswerFields): void {
    // 1xx: undici has dealt with it; only a final answer passes on.
    if (status < 200) return;
    this.status = status;
    this.events.answered(status);
    const { response } = this.exchange;
    const length = fields['content-length'];
    this.bodyBytes = typeof length === 'string' ? Number(length) : -1;
    response.writeHead(status, outgoing(fields, this.answer));
    // A body that comes with its head leaves together with it; otherwise the head must not wait (event streams).
    process.nextTick(sendHead, response);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { response } = this.exchange;
    if (chunk.byteLength === this.bodyBytes && chunk.byteLength <= ONE_WRITE_BYTES) {
      // The whole body: as a string Node joins it to the head instead of writing two pieces.
      response.end(chunk.toString('latin1'), 'latin1');
    } else if (!response.write(chunk) && !this.target.ending) {
      this.pause(controller);
    }
  }

  onResponseEnd(): void {
    const { response } = this.exchange;
    if (!response.writableEnded) response.end();
    this.settle('complete');
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.done) return;
    if (this.status !== 0) {
      // The status line is out: the only honest sign of a cut answer is a cut connection.
      this.settle('upstream_broke');
      this.exchange.response.destroy();
    } else if (this.exchange.response.destroyed) this.settle('client_gone');
    else {
      this.done = true;
      this.exchange.response.off('close', this.clientClosed);
      this.reject(error);
    }
  }

  private pause(controller: Dispatcher.DispatchController): void {
    const { paused } = this.target;
    controller.pause();
    paused.add(controller);
    this.exchange.response.once('drain', () => {
      paused.delete(controller);
      controller.resume();
    });
  }

  private readonly clientClosed = (): void => {
    if (this.done || this.exchange.response.writableFinished) return;
    this.settle('client_gone');
    this.controller?.abort(new Error('client gone'));
  };

  private settle(ending: Ending): void {
    if (this.done) return;
    this.done = true;
    if (this.controller !== undefined) this.target.paused.delete(this.controller);
    this.exchange.response.off('close', this.clientClosed);
    this.events.ended(ending);
    this.resolve({ status: this.status === 0 ? CLIENT_GONE : this.status });
  }
}

function sendHead(response: NodeExchange['response']): void {
  if (!response.writableEnded) response.flushHeaders();
}

/** Names and values in turn, as writeHead() takes them without another look. */
function outgoing(fields: AnswerFields, answer: AnswerHeaders): string[] {
  const { connection } = fields;
  const nominated = nominatedBy(typeof connection === 'string' ? connection : connection?.join(','));
  const out: string[] = [];
  for (const name in fields) {
    if (!passesOn(name, answer.ownsCors, nominated)) continue;
    const value = fields[name];
    if (typeof value === 'string') out.push(name, value);
    else if (value !== undefined) for (const one of value) out.push(name, one);
  }
  out.push(...answer.set);
  return out;
}
