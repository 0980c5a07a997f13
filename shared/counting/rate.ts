import type { RatePolicy } from '../ports/counters.ts';

const RATE = /^([1-9]\d{0,6})\/([1-9]\d{0,4})([smh])$/;
const UNIT_MS = new Map([
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
]);
const MAX_LIMIT = 1_000_000;
const MAX_WINDOW_MS = 24 * 3_600_000;

/**
 * Parses `100/60s`, `5/1m`, `1000/24h`; undefined when malformed.
 * At most 1,000,000 requests, in at most 24 hours. `name` distinguishes policies of one caller: use one name for one rate.
 */
export function parseRate(text: string, name: string): RatePolicy | undefined {
  const [, amount, length, unit = ''] = RATE.exec(text) ?? [];
  const limit = Number(amount);
  const windowMs = Number(length) * (UNIT_MS.get(unit) ?? Number.NaN);
  if (!(limit <= MAX_LIMIT && windowMs <= MAX_WINDOW_MS)) return undefined;
  return { name, limit, windowMs };
}

/** Entries per window. Up to as many requests, each has one of its own. */
const ENTRIES = 20;

/**
 * Milliseconds within which requests share an entry; it leaves the window as a whole, when its last request does. So
 * no request leaves early, or late by more than a twentieth of the window.
 */
export function grainMs({ limit, windowMs }: RatePolicy): number {
  return limit <= ENTRIES ? 0 : Math.floor(windowMs / ENTRIES);
}
