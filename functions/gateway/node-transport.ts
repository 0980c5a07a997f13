import type { IncomingMessage } from 'node:http';
import type { Answer, NodeExchange, Upstream } from '../../shared/upstream.ts';
import type { Transport } from './index.ts';
import type { Inbound } from './request.ts';

/** The gateway over Node's own request and response: no URL is parsed and no web stream is made on the way. */
export function nodeTransport(upstream: Upstream<NodeExchange, Answer>): Transport<NodeExchange, Answer> {
  return {
    upstream,
    answer({ status, headers, body }, { response }) {
      if (!response.headersSent) {
        response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
        response.end(body);
      }
      return { status };
    },
  };
}

/** Raw, as it came over the wire: a URL parser would repair what has to be refused. */
export function inboundOf(request: IncomingMessage): Inbound {
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    headers: request.rawHeaders,
    peer: request.socket.remoteAddress ?? '',
    // TLS ends in front of the gateway; a trusted proxy says so in X-Forwarded-Proto.
    scheme: 'http',
    needsHost: request.httpVersion === '1.1',
  };
}
