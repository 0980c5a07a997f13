import { Refusal } from '../errors.ts';

/** More than any event or form of an own route needs; a route may override it. */
export const MAX_OWN_BODY_BYTES = 65_536;
/** Zitadel itself gives up a delivery after ten seconds at most. */
const MOST_MS = 10_000;

/**
 * Returns the raw bytes of a request to an own route; its sender may be unauthenticated. Throws Refusal `body_too_large`,
 * declared or streamed, over `most` bytes, and `invalid_request` when the body has not arrived within `mostMs`.
 */
export async function readBody(request: Request, most: number, mostMs = MOST_MS): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? 0) > most) throw ownBodyTooLarge(most);
  if (request.body === null) return new Uint8Array();
  const reader = request.body.getReader();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    // Ends the pending read.
    reader.cancel().catch(() => undefined);
  }, mostMs);
  try {
    return await readAll(reader, most, () => late);
  } finally {
    clearTimeout(timer);
  }
}

async function readAll(
  reader: ReadableStreamDefaultReader<unknown>,
  most: number,
  isLate: () => boolean,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value: chunk } = await reader.read();
    if (isLate()) throw tooSlow();
    if (done) return joined(chunks, length);
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a request body is read as bytes');
    length += chunk.byteLength;
    if (length > most) {
      // The rest is not read.
      reader.cancel().catch(() => undefined);
      throw ownBodyTooLarge(most);
    }
    chunks.push(chunk);
  }
}

/** Of an own route: `most` bytes, declared or streamed. */
export function ownBodyTooLarge(most: number): Refusal {
  return new Refusal('body_too_large', `body of an own route over ${most} bytes`, {
    detail: `A body may have at most ${most} bytes here.`,
    headers: { connection: 'close' },
  });
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

function tooSlow(): Refusal {
  return new Refusal('invalid_request', 'the body did not arrive in time', {
    detail: 'The body did not arrive in time.',
    headers: { connection: 'close' },
  });
}
