import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** A request as sent to the upstream: judged, decided and cleaned. */
export interface UpstreamRequest {
  /** Name of the rule's target, for logs. */
  readonly target: string;
  /** Scheme, host and base path; from the configuration, never from the request. */
  readonly base: string;
  readonly method: string;
  /** Path and query, below the base. */
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: string[];
  /** The Host to send instead of the target's own; Workers cannot. */
  readonly host: string | undefined;
  /** From the end of the request until the answer begins, and between two pieces of the answer. */
  readonly timeoutMs: number;
  readonly maxBodyBytes: number;
  /** -1 when not declared. */
  readonly contentLength: number;
  readonly hasBody: boolean;
  /** A WebSocket upgrade. */
  readonly upgrade: boolean;
  /** Key by which the target's connections are shared: the caller's address, an IPv6 one by its /64. */
  readonly sharer: string;
}

/** Longest pause within a request body. The caller's time is not the upstream's, so it has a bound of its own. */
export const UPLOAD_SILENCE_MS = 30_000;
/** A request waits this long for its share of the target's connections, and no longer than its own time-out. */
export const SHARE_WAIT_MS = 5_000;

/** What the gateway does to an upstream's answer on its way out. */
export interface AnswerHeaders {
  /** Names (lower-case) and values in turn; they replace what the upstream sent. */
  readonly set: readonly string[];
  /** True: the gateway answers CORS, so the upstream's own Access-Control-* fields are dropped. */
  readonly ownsCors: boolean;
  /**
   * The subprotocol that carried the token, for a WebSocket whose upstream selects none: a browser that offered
   * protocols closes the connection when the answer names none of them.
   */
  readonly protocol?: string | undefined;
}

export interface Answer {
  readonly status: number;
}

/** nginx's status for a client that closed the connection; logged, never sent. */
export const CLIENT_GONE = 499;

/** How a streamed exchange ended. */
export type Ending = 'complete' | 'client_gone' | 'client_stalled' | 'upstream_broke';

export interface ForwardEvents {
  /** The first byte of the answer has arrived. */
  answered(status: number): void;
  /** Nothing more will pass; called at once where the runtime streams. */
  ended(ending: Ending): void;
}

/**
 * Forwards one request and its answer, both streamed, nothing decompressed, no redirect followed.
 * Rejects with a Refusal (upstream_unreachable, upstream_timeout, body_too_large, request_timeout, invalid_request) while
 * nothing was answered yet.
 */
export interface Upstream<Exchange, Out extends Answer> {
  forward(
    request: UpstreamRequest,
    answer: AnswerHeaders,
    exchange: Exchange,
    events: ForwardEvents,
  ): Promise<Out>;
}

/** A request that asks for another protocol, and the socket it came over. */
export interface UpgradeExchange {
  readonly message: IncomingMessage;
  readonly socket: Duplex;
  /** Bytes received behind the request head. */
  readonly head: Buffer;
}

export interface NodeExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}
