import { STATUS_CODES } from 'node:http';
import type { Problem } from './problem.ts';

/** Status line and fields of an HTTP/1.1 answer, for sockets that Node's server has let go of. */
export function headText(status: number, reason: string | undefined, fields: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${reason ?? STATUS_CODES[status] ?? ''}\r\n`;
  for (let i = 0; i + 1 < fields.length; i += 2) text += `${fields[i] ?? ''}: ${fields[i + 1] ?? ''}\r\n`;
  return `${text}\r\n`;
}

/** A refusal as the last thing said on a connection. */
export function problemText({ status, headers, body }: Problem): string {
  const length = String(Buffer.byteLength(body));
  const fields = [...Object.entries(headers).flat(), 'connection', 'close', 'content-length', length];
  return headText(status, undefined, fields) + body;
}
