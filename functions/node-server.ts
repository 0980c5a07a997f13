import { STATUS_CODES, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { Refusal } from '../shared/errors.ts';
import type { Random } from '../shared/ports.ts';
import { toProblem } from '../shared/problem.ts';

/** Requests under way get this long once the server is told to stop; less than Kubernetes' usual 30 s. */
const DRAIN_MS = 25_000;
const SWEEP_MS = 50;

/** Bytes that are no HTTP request (RFC 9112 §2.2, §6.3): answered once, then the connection is closed. */
export function answerBrokenRequests(random: Random) {
  return (error: Error & { code?: string }, socket: Duplex): void => {
    if (socket.writable && error.code !== 'ECONNRESET') socket.end(refusal(random.uuid()));
    else socket.destroy();
  };
}

function refusal(requestId: string): string {
  const problem = toProblem(new Refusal('invalid_request', 'not HTTP', { detail: DETAIL }), requestId);
  const headers = {
    ...problem.headers,
    connection: 'close',
    'content-length': Buffer.byteLength(problem.body),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const statusLine = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`;
  return `${[statusLine, ...lines].join('\r\n')}\r\n\r\n${problem.body}`;
}

const DETAIL = 'The bytes of this request do not make one HTTP request.';

/** Stops accepting, waits for requests under way (25 s at most), then closes what is left. */
export function drain(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // Kept-alive connections turn idle one by one as their requests end.
    const sweep = setInterval(() => {
      server.closeIdleConnections();
    }, SWEEP_MS);
    const cut = setTimeout(() => {
      server.closeAllConnections();
    }, DRAIN_MS);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
