import type { Random } from './ports/runtime.ts';

const POOL_BYTES = 4_096;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/**
 * Random values of the Web Crypto API, which Node and Workers share. Drawn in bulk: one system call serves many
 * requests. The pool is made at first use, because Workers allow randomness only while a request is handled.
 */
export function webRandom(): Random {
  let pool: Uint8Array | undefined;
  let used = POOL_BYTES;
  const hex = (length: number): string => {
    pool ??= new Uint8Array(POOL_BYTES);
    if (used + length > POOL_BYTES) {
      crypto.getRandomValues(pool);
      used = 0;
    }
    let text = '';
    for (const end = used + length; used < end; used++) text += HEX[pool[used] ?? 0] ?? '';
    return text;
  };
  return { hex, uuid: () => crypto.randomUUID() };
}
