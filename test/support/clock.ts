import type { Clock } from '../../shared/ports/runtime.ts';

/** A clock that stands still until told otherwise. */
export interface ManualClock extends Clock {
  advance(seconds: number): void;
}

/** Starts at 2026-01-01T00:00:00Z unless told (milliseconds since the epoch). */
export function manualClock(startMs = Date.UTC(2026, 0, 1)): ManualClock {
  let now = startMs;
  return {
    now: () => now,
    advance: (seconds) => {
      now += seconds * 1000;
    },
  };
}
