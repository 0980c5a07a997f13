import { MAX_OWN_BODY_BYTES, ownBodyTooLarge } from '../../shared/edge/frame.ts';

/**
 * The raw bytes of a request, which a signature is over: hashed before anybody has proved anything. Throws Refusal
 * `body_too_large`, declared or streamed, over `maxBytes` or MAX_OWN_BODY_BYTES, whichever is less.
 */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const most = Math.min(maxBytes, MAX_OWN_BODY_BYTES);
  if (Number(request.headers.get('content-length') ?? 0) > most) throw ownBodyTooLarge(most);
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop cancels the stream: the rest is not read.
  for await (const chunk of request.body) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a request body is read as bytes');
    length += chunk.byteLength;
    if (length > most) throw ownBodyTooLarge(most);
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
