import type { Dispatcher } from 'undici';
import { nominatedBy, passesOn } from '../../edge/answer-headers.ts';
import { Refusal } from '../../errors.ts';
import type {
  Answer,
  AnswerHeaders,
  Ending,
  ForwardEvents,
  NodeExchange,
  UpstreamRequest,
} from '../../ports/upstream.ts';
import { CLIENT_GONE, SHARE_WAIT_MS, UPLOAD_SILENCE_MS } from '../../ports/upstream.ts';
import type { Waiting } from './target.ts';
import { BoundedBody } from './bounded-body.ts';
import type { UndiciTarget } from './target.ts';
import { brokeOff, neverOpened, notSent, refusalOf } from '../upstream-faults.ts';

/** Bodies up to this size are worth a copy to save a system call. */
const ONE_WRITE_BYTES = 8_192;
/** RFC 9110 §9.2.1. TRACE is never forwarded. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

type AnswerFields = Readonly<Record<string, string | string[] | undefined>>;

/**
 * One exchange, in one attempt or two: undici's events written straight into the ServerResponse.
 * Long because the states of an exchange are one state.
 */
export class Passage implements Dispatcher.DispatchHandler, Waiting {
  private readonly request: UpstreamRequest;
  private readonly answer: AnswerHeaders;
  private readonly exchange: NodeExchange;
  private readonly events: ForwardEvents;
  private readonly target: UndiciTarget;
  private resolve: ((answer: Answer) => void) | undefined;
  private reject: ((error: unknown) => void) | undefined;
  private controller: Dispatcher.DispatchController | undefined;
  /** Set while waiting for a share of the target's connections. */
  private wait: NodeJS.Timeout | undefined;
  /** Set from the end of the request until the end of its answer: bounds the upstream's silence. */
  private late: NodeJS.Timeout | undefined;
  private status = 0;
  /** Declared length of the answer; -1 when it has none. */
  private bodyBytes = -1;
  /** The request was sent on an idle connection, whose end may have crossed it. */
  private wasIdle = false;
  /** The first byte of an answer arrived, interim ones (1xx) included. */
  private begun = false;
  private repeated = false;
  /** The caller gets nothing more; undici may not have ended yet. */
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

  /** Rejects with a Refusal until the answer begins. */
  through(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      const { request, response } = this.exchange;
      // A caller may disconnect during the decision; the event is over then.
      if (response.destroyed || request.socket.destroyed) {
        this.settle('client_gone');
        return;
      }
      // Never removed: that costs more than a redundant event.
      response.on('close', () => {
        this.clientClosed();
      });
      if (this.target.shares.enter(this.request.sharer, this)) this.dispatch();
      else this.wait = setTimeout(waitedInVain, Math.min(SHARE_WAIT_MS, this.request.timeoutMs), this);
    });
  }

  begin(): void {
    clearTimeout(this.wait);
    this.wait = undefined;
    this.dispatch();
  }

  private dispatch(): void {
    const { request, target } = this;
    const { host, headers } = request;
    const options: Dispatcher.DispatchOptions & { readonly servername: string } = {
      path: target.basePath + request.path,
      method: request.method,
      headers: host === undefined ? headers : [...headers, 'Host', host],
      // Otherwise undici expects a caller's Host in the target's certificate, and reconnects for each.
      servername: target.servername,
      // A connection that never opened leaves the body intact for another attempt.
      body: request.hasBody ? this.body() : null,
      // Only for an upstream that takes no more of a body: undici's timers have a resolution of a second.
      headersTimeout: request.hasBody ? request.timeoutMs : 0,
      bodyTimeout: 0,
    };
    if (this.repeated) target.dispatchAlone(options, this);
    else target.dispatch(options, this);
  }

  private body(): BoundedBody {
    const { request, exchange } = this;
    const body = new BoundedBody(exchange.request, request.maxBodyBytes, UPLOAD_SILENCE_MS);
    return body.once('end', () => {
      this.sent();
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    this.wasIdle = !this.target.opening;
    if (this.exchange.response.destroyed) controller.abort(new Error('client gone'));
    else if (!this.request.hasBody) this.sent();
  }

  private sent(): void {
    if (this.done || this.status !== 0) return;
    clearTimeout(this.late);
    this.late = setTimeout(silentTooLong, this.request.timeoutMs, this);
  }

  /** A stalled client is not the upstream's silence; it has a bound of its own (functions/node/connections.ts). */
  silent(): void {
    const { controller } = this;
    if (controller?.paused === true) this.late?.refresh();
    else controller?.abort(new Refusal('upstream_timeout', 'no answer in time'));
  }

  onResponseStarted(): void {
    this.begun = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, fields: AnswerFields): void {
    // 1xx: handled by undici; only a final answer is forwarded.
    if (status < 200) return;
    const { response } = this.exchange;
    const length = fields['content-length'];
    this.bodyBytes = typeof length === 'string' ? Number(length) : -1;
    // Throws for fields that must not be sent: there is no answer yet then.
    response.writeHead(status, outgoing(status, fields, this.answer));
    this.heard();
    this.status = status;
    this.events.answered(status);
    if (status === 204 || status === 304 || this.request.method === 'HEAD') {
      // RFC 9112 §6.3: it ends with its head, whatever length it declares; undici would report missing content.
      response.end();
      this.settle('complete');
      return;
    }
    // A body that arrives with its head is sent together with it; otherwise the head must not wait (event streams).
    this.target.heads.add(response);
  }

  /** An upstream may answer before it has read the whole request. */
  private heard(): void {
    if (this.late === undefined) this.late = setTimeout(silentTooLong, this.request.timeoutMs, this);
    else this.late.refresh();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.late?.refresh();
    const { response } = this.exchange;
    if (chunk.byteLength === this.bodyBytes && chunk.byteLength <= ONE_WRITE_BYTES) {
      this.endWith(chunk);
    } else if (!response.write(chunk) && !this.target.ending) {
      this.pause(controller);
    }
  }

  /** The whole body. As text it is joined to the head; uncorked before the end, both are sent in one write. */
  private endWith(body: Buffer): void {
    const { response } = this.exchange;
    const { socket } = response;
    socket?.cork();
    response.write(body.toString('latin1'), 'latin1');
    socket?.uncork();
    response.end();
  }

  // Each attempt ends with one of these two: then its connection is free for others.
  onResponseEnd(): void {
    this.target.shares.leave(this.request.sharer);
    const { response } = this.exchange;
    if (!response.writableEnded) response.end();
    this.settle('complete');
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    clearTimeout(this.late);
    if (this.mayRepeat(error)) {
      this.repeated = true;
      this.dispatch();
      return;
    }
    this.target.shares.leave(this.request.sharer);
    if (this.done) return;
    const { response } = this.exchange;
    if (this.status !== 0) {
      // The status line is sent: only a cut connection can signal a cut answer.
      this.settle('upstream_broke');
      response.destroy();
    } else if (response.destroyed) this.settle('client_gone');
    else this.fail(error);
  }

  /**
   * Once, when nothing was sent; or when an idle connection ended under a safe request without a body, before any byte of
   * an answer (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
   */
  private mayRepeat(error: Error): boolean {
    if (this.repeated || this.done || this.exchange.response.destroyed) return false;
    if (neverOpened(error)) return true;
    const { method, hasBody } = this.request;
    return this.wasIdle && !this.begun && !hasBody && SAFE.has(method) && brokeOff(error);
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

  private clientClosed(): void {
    if (this.done || this.exchange.response.writableFinished) return;
    this.settle('client_gone');
    this.controller?.abort(new Error('client gone'));
  }

  fail(error: Error): void {
    this.detach();
    this.reject?.(refusalOf(error));
  }

  private settle(ending: Ending): void {
    if (this.done) return;
    this.detach();
    this.events.ended(ending);
    this.resolve?.({ status: this.status === 0 ? CLIENT_GONE : this.status });
  }

  private detach(): void {
    this.done = true;
    clearTimeout(this.late);
    if (this.controller?.paused === true) this.target.paused.delete(this.controller);
    if (this.wait === undefined) return;
    clearTimeout(this.wait);
    this.target.shares.withdraw(this.request.sharer, this);
  }
}

function silentTooLong(passage: Passage): void {
  passage.silent();
}

function waitedInVain(passage: Passage): void {
  passage.fail(notSent('no free connection in time'));
}

/** Names and values in turn, the form that writeHead() uses unchanged. */
function outgoing(status: number, fields: AnswerFields, answer: AnswerHeaders): string[] {
  const { connection } = fields;
  const nominated = nominatedBy(typeof connection === 'string' ? connection : connection?.join(','));
  const out: string[] = [];
  for (const name in fields) {
    if (!passesOn(name, answer.ownsCors, nominated)) continue;
    // RFC 9110 §8.6: a 204 must not declare one.
    if (status === 204 && name === 'content-length') continue;
    const value = fields[name];
    if (typeof value === 'string') out.push(name, value);
    else if (value !== undefined) for (const one of value) out.push(name, one);
  }
  for (const each of answer.set) out.push(each);
  return out;
}
