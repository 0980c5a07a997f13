import type { Random } from '../ports/runtime.ts';

/** Milliseconds of the first wait after a failure, and of the longest. */
export interface Waits {
  readonly firstMs: number;
  readonly mostMs: number;
}

export const WAITS: Waits = { firstMs: 1_000, mostMs: 300_000 };

/** Milliseconds until the next attempt: doubling, half of it random, so that retries do not coincide. */
export function backOffMs(attempt: number, { firstMs, mostMs }: Waits, random: Pick<Random, 'hex'>): number {
  const wait = Math.min(mostMs, firstMs * 2 ** Math.min(attempt - 1, 20));
  const chance = Number.parseInt(random.hex(2), 16) / 0xffff;
  return Math.round(wait / 2 + (wait / 2) * chance);
}
