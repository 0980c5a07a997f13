import type { IncomingMessage } from 'node:http';
import { bodyTooLarge } from '../errors.ts';

/**
 * A request body that ends in Refusal `body_too_large` once it is over `maxBytes`: for bodies whose length is not
 * declared, or was declared falsely.
 */
export async function* boundedBody(body: IncomingMessage, maxBytes: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  // Left whole for its server, which answers on the same connection and may have to read the rest away.
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a request body is read as bytes');
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw bodyTooLarge(maxBytes);
    yield chunk;
  }
}
