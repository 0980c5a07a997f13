import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Problem } from './problem.ts';

/** How long a client may take to close its own half after its last answer. */
const CLOSING_MS = 5_000;

/** Status line and fields of an HTTP/1.1 answer, for sockets detached from Node's server. */
export function headText(status: number, reason: string | undefined, fields: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${reason ?? STATUS_CODES[status] ?? ''}\r\n`;
  for (let i = 0; i + 1 < fields.length; i += 2) text += `${fields[i] ?? ''}: ${fields[i + 1] ?? ''}\r\n`;
  return `${text}\r\n`;
}

/** Writes a refusal as the last answer of a connection. */
export function lastAnswer(socket: Duplex, { status, headers, cookies = [], body }: Problem): void {
  const length = String(Buffer.byteLength(body));
  const set = cookies.flatMap((cookie) => ['set-cookie', cookie]);
  const fields = [...Object.entries(headers).flat(), ...set, 'connection', 'close', 'content-length', length];
  socket.end(headText(status, undefined, fields) + body);
  closeInTime(socket);
}

/**
 * For a half-closed socket: what the peer still sends is discarded, because closing over unread bytes resets the
 * connection, and with it the answer. A peer that ignores the end is cut off after five seconds.
 */
export function closeInTime(socket: Duplex): void {
  const cut = setTimeout(() => socket.destroy(), CLOSING_MS);
  cut.unref();
  socket.once('close', () => {
    clearTimeout(cut);
  });
  socket.resume();
}
