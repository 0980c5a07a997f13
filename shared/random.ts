import type { Random } from './ports/runtime.ts';

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
