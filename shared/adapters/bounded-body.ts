import type { IncomingMessage } from 'node:http';
import { Refusal } from '../errors.ts';

/**
 * A request body that ends in Refusal `body_too_large` once it is over `maxBytes`: for bodies whose length is not
 * declared, or was declared falsely.
 */
export async function* boundedBody(body: IncomingMessage, maxBytes: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of body) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a request body is read as bytes');
    bytes += chunk.byteLength;
    if (bytes > maxBytes) {
      throw new Refusal('body_too_large', 'streamed over MAX_BODY_BYTES', {
        headers: { connection: 'close' },
      });
    }
    yield chunk;
  }
}
