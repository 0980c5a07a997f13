import { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { Refusal } from '../shared/errors.ts';
import type { Random } from '../shared/ports.ts';
import { problemText } from '../shared/http-text.ts';
import { toProblem } from '../shared/problem.ts';

/** Bytes that are no HTTP request (RFC 9112 §2.2, §6.3): answered once, then the connection is closed. */
export function answerBrokenRequests(random: Random) {
  return (error: Error & { code?: string }, socket: Duplex): void => {
    if (!socket.writable || error.code === 'ECONNRESET' || isAnswering(socket)) socket.destroy();
    else socket.end(refusal(random.uuid()), () => socket.destroy());
  };
}

/** A second status line in the middle of an answer would be taken for its content. Node keeps that answer here. */
function isAnswering(socket: Duplex): boolean {
  const answer = '_httpMessage' in socket ? socket._httpMessage : undefined;
  return answer instanceof ServerResponse && answer.headersSent;
}

function refusal(requestId: string): string {
  return problemText(toProblem(new Refusal('invalid_request', 'not HTTP', { detail: DETAIL }), requestId));
}

/** RFC 9110 §9.3.6: CONNECT asks for a tunnel, and there is none here. Node would close without a word. */
export function refuseTunnels(random: Random) {
  return (_request: unknown, socket: Duplex): void => {
    socket.on('error', () => socket.destroy());
    socket.end(refusal(random.uuid()), () => socket.destroy());
  };
}

const DETAIL = 'The bytes of this request do not make one HTTP request.';
