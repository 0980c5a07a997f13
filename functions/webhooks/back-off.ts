import type { Random } from '../../shared/ports.ts';

const FIRST_MS = 1_000;
const MOST_MS = 300_000;

/** Attempts before an event is set aside for a person to look at: with waits of five minutes at most, most of a day. */
export const MOST_ATTEMPTS = 250;

/** Milliseconds to wait after the `failures`th failure: doubling, half of it by chance so that no herd comes back at once. */
export function backOffMs(failures: number, random: Pick<Random, 'hex'>): number {
  const wait = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20));
  const chance = Number.parseInt(random.hex(2), 16) / 0xffff;
  return Math.round(wait / 2 + (wait / 2) * chance);
}
