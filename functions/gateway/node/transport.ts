import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer, NodeExchange, UpgradeExchange, Upstream } from '../../../shared/ports/upstream.ts';
import { malformed } from '../read/headers.ts';
import type { Transport } from '../pipeline.ts';
import type { Inbound } from '../read/request.ts';
import { lastAnswer } from '../../../shared/edge/http-text.ts';

/** How long an unneeded body may continue before the connection is closed over it. */
const UNWANTED_BODY_MS = 5_000;

export interface ServerExchange extends NodeExchange {
  /** The caller waits for `100 Continue` before it sends its body (RFC 9110 §10.1.1). */
  readonly expectsContinue?: boolean;
}

/** The gateway over Node's own request and response, without URL parsing or web streams. */
export function nodeTransport(
  upstream: Upstream<NodeExchange, Answer>,
  stalled: (socket: Socket) => boolean,
): Transport<ServerExchange, Answer> {
  return {
    upstream: {
      forward(request, answer, exchange, events) {
        // Only now: a caller that is refused keeps its body.
        if (exchange.expectsContinue === true && request.hasBody) exchange.response.writeContinue();
        const forwarded = upstream.forward(request, answer, exchange, events);
        return request.hasBody ? forwarded.finally(readAway(exchange.request)) : forwarded;
      },
    },
    answer({ status, headers, cookies, body }, { request, response }) {
      if (response.headersSent) return { status };
      if (cookies !== undefined) response.setHeader('set-cookie', cookies);
      const length = Buffer.byteLength(body);
      // Node drains an untouched body while the connection is kept, but not one that was begun.
      if (request.complete || !request.readableDidRead) {
        response.writeHead(status, { ...headers, 'content-length': length });
        response.end(body);
      } else {
        response.writeHead(status, { ...headers, 'content-length': length, connection: 'close' });
        response.write(body);
        endAfterBody(request, response);
      }
      return { status };
    },
    stalled: ({ request }) => stalled(request.socket),
  };
}

/** Drains the rest of the body where the answer came before the request's end: the connection waits for it. */
function readAway(request: IncomingMessage): () => void {
  return () => {
    if (!request.complete && request.readableDidRead) request.resume();
  };
}

/**
 * Closing over unread bytes resets the connection, and with it the answer: a client that is still sending is drained for a
 * while. The answer itself is sent, and complete by its length.
 */
function endAfterBody(request: IncomingMessage, response: ServerResponse): void {
  const end = (): void => {
    clearTimeout(cut);
    response.end();
  };
  const cut = setTimeout(end, UNWANTED_BODY_MS);
  request.once('end', end);
  request.once('error', end);
  response.once('close', end);
  request.resume();
}

/** Raw, as received: a URL parser would repair what must be refused. */
export function inboundOf(request: IncomingMessage): Inbound {
  const { httpVersion } = request;
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    headers: request.rawHeaders,
    peer: request.socket.remoteAddress ?? '',
    // TLS ends in front of the gateway, where a trusted proxy sets X-Forwarded-Proto.
    scheme: 'http',
    needsHost: httpVersion === '1.1',
    fault: isSpoken(request)
      ? undefined
      : malformed(`HTTP/${httpVersion}; HTTP/1.1 and HTTP/1.0 are spoken here`),
  };
}

/** RFC 9112 §2.3: Node's parser also accepts 0.9 and 2.0 as versions of this syntax. */
function isSpoken({ httpVersion }: IncomingMessage): boolean {
  return httpVersion === '1.1' || httpVersion === '1.0';
}

/** The gateway on a bare socket: Node detaches upgrade requests from its server. */
export function upgradeTransport(
  upstream: Upstream<UpgradeExchange, Answer>,
): Transport<UpgradeExchange, Answer> {
  return {
    upstream,
    answer(problem, { socket }) {
      lastAnswer(socket, problem);
      return { status: problem.status };
    },
  };
}
