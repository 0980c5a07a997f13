import type { Clock, Exchange, Fetch, Random } from './ports/runtime.ts';

export const systemClock: Clock = { now: () => Date.now() };

const POOL_BYTES = 4_096;
const DIGITS_PER_BYTE = 2;

/**
 * Random values of the Web Crypto API, which Node and Workers share. Drawn and written as hex in bulk: one system call
 * serves many requests, and each takes a slice. The pool is made at first use, because Workers allow randomness only
 * while a request is handled.
 */
export function webRandom(): Random {
  let pool = '';
  let used = 0;
  const hex = (length: number): string => {
    const start = used;
    const end = start + length * DIGITS_PER_BYTE;
    if (end <= pool.length) {
      used = end;
      return pool.slice(start, end);
    }
    pool = Buffer.from(crypto.getRandomValues(new Uint8Array(Math.max(POOL_BYTES, length)))).toString('hex');
    used = 0;
    return hex(length);
  };
  return { hex, uuid: () => crypto.randomUUID() };
}

/** The largest answer of a service that is read: Neon sends at most 10 MiB, an OpenFGA page has less. */
export const MAX_REPLY_BYTES = 16 * 1024 * 1024;

/** An exchange over fetch, for runtimes without anything lighter. */
export function exchangeBy(fetch: Fetch): Exchange {
  return async ({ method, url, headers, body, timeoutMs }) => {
    const signal = AbortSignal.timeout(timeoutMs);
    // `manual`, because Workers do not support `error`.
    const init = { method, headers, redirect: 'manual', signal } as const;
    const response = await fetch(url, body === undefined ? init : { ...init, body });
    const text = await boundedText(response, MAX_REPLY_BYTES);
    return { status: response.status, headers: Object.fromEntries(response.headers), text };
  };
}

/** Reads a body as text. Throws RangeError over `maxBytes`, and TypeError for invalid UTF-8. */
export async function boundedText(response: Response, maxBytes: number): Promise<string> {
  if (response.body === null) return '';
  const body: ReadableStream<Uint8Array> = response.body;
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const reader = body.getReader();
  let text = '';
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > maxBytes) {
      await reader.cancel();
      throw new RangeError(`answer over ${maxBytes} bytes`);
    }
    text += decoder.decode(value, { stream: true });
  }
}
