import { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Refusal } from '../../shared/errors.ts';
import { lastAnswer } from '../../shared/edge/http-text.ts';
import { MAX_HEAD_BYTES } from '../gateway/read/headers.ts';
import { refuse, type GatewayDeps } from '../gateway/pipeline.ts';
import type { Inbound } from '../gateway/read/request.ts';

/** The error of Node's parser, with the bytes it rejected. */
interface ParserError extends Error {
  readonly code?: string;
  readonly rawPacket?: Buffer;
}

/**
 * Bytes that are no HTTP request (RFC 9112 §2.2, §6.3) are answered once and recorded, and the connection is closed. A
 * request accepted before them gets its answer first (§9.6).
 */
export function answerBrokenRequests(deps: GatewayDeps) {
  const waiting = new WeakSet<Duplex>();
  const answer = (error: ParserError, socket: Duplex): void => {
    if (socket.destroyed || socket.writableEnded || waiting.has(socket)) return;
    if (error.code === 'ECONNRESET' || isUnused(socket, error)) {
      socket.destroy();
      return;
    }
    const current = answerUnderWay(socket);
    if (current?.req.complete === true) {
      waiting.add(socket);
      // Node gives the socket to the next answer in the same turn.
      const next = (): void => {
        waiting.delete(socket);
        answer(error, socket);
      };
      current.once('close', () => {
        process.nextTick(next);
      });
    } else if (current?.headersSent === true) {
      // A second status line in the middle of an answer would be taken for its content.
      socket.destroy();
    } else {
      lastAnswer(socket, refuse(inboundOf(error, socket), deps));
      // In the body of a request: its upstream must not wait for more.
      if (current !== undefined) socket.once('finish', () => socket.destroy());
    }
  };
  return answer;
}

/** The response that Node is writing to this connection; Node keeps it in `_httpMessage`. */
export function answerUnderWay(socket: Duplex): ServerResponse | undefined {
  const answer = '_httpMessage' in socket ? socket._httpMessage : undefined;
  return answer instanceof ServerResponse ? answer : undefined;
}

/** Opened ahead and unused, as by browsers: an answer would be taken for that of a request sent meanwhile. */
function isUnused(socket: Duplex, { code }: ParserError): boolean {
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket instanceof Socket && socket.bytesRead === 0;
}

/** RFC 9110 §9.3.6: CONNECT requests a tunnel, which is not supported. Node would close without an answer. */
export function refuseTunnels(deps: GatewayDeps) {
  return (_request: unknown, socket: Duplex): void => {
    socket.on('error', () => socket.destroy());
    lastAnswer(socket, refuse(inboundOf(new Error('CONNECT'), socket), deps));
  };
}

function inboundOf(error: ParserError, socket: Duplex): Inbound & { readonly fault: Refusal } {
  return {
    method: '',
    target: '',
    headers: error.code === TOO_LARGE ? fieldsIn(error.rawPacket) : [],
    peer: (socket instanceof Socket ? socket.remoteAddress : undefined) ?? '',
    scheme: 'http',
    needsHost: false,
    fault: faultOf(error),
  };
}

const TOO_LARGE = 'HPE_HEADER_OVERFLOW';

function faultOf({ code = 'CONNECT', message }: ParserError): Refusal {
  if (code === TOO_LARGE) {
    const detail = `The header fields are over ${MAX_HEAD_BYTES} bytes (16 KiB).`;
    return new Refusal('headers_too_large', detail, { detail });
  }
  const late = code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const detail = late
    ? 'The request did not arrive whole in time.'
    : 'The bytes of this request do not make one HTTP request.';
  return new Refusal('invalid_request', late ? message : `not HTTP (${code})`, { detail });
}

/** Whole lines of the last packet, names and values in turn: the fields for CORS and the request id. */
function fieldsIn(packet: Buffer | undefined): string[] {
  const lines = packet
    ?.toString('latin1')
    .matchAll(/^(Origin|X-Request-ID):[ \t]*([\x21-\x7e]+)[ \t]*\r$/gim);
  return [...(lines ?? [])].flatMap(([, name = '', value = '']) => [name, value]);
}
