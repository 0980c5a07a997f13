import { Refusal } from '../../shared/errors.ts';

/** An event is a few kilobytes; more is none of ours. */
export const MAX_BODY_BYTES = 1_048_576;

/**
 * The raw bytes of a request, which a signature is over. Throws Refusal `body_too_large`, declared or streamed, over
 * `maxBytes` or MAX_BODY_BYTES, whichever is less.
 */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const most = Math.min(maxBytes, MAX_BODY_BYTES);
  if (Number(request.headers.get('content-length') ?? 0) > most) throw tooLarge(most);
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop cancels the stream: the rest is not read.
  for await (const chunk of request.body) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a request body is read as bytes');
    length += chunk.byteLength;
    if (length > most) throw tooLarge(most);
    chunks.push(chunk);
  }
  return joined(chunks, length);
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1) return only;
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.byteLength;
  }
  return all;
}

function tooLarge(most: number): Refusal {
  return new Refusal('body_too_large', `webhook body over ${most} bytes`, {
    detail: `A webhook body may have at most ${most} bytes.`,
    headers: { connection: 'close' },
  });
}
