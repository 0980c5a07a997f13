import type { Clock } from './ports.ts';

export type CircuitState = 'closed' | 'open' | 'half-open';

/** After `THRESHOLD` failures in a row a target rests for `REST_MS`; then one request tries it. */
export interface CircuitBreaker {
  /** False: do not try. True from half-open lets exactly one through. */
  admits(): boolean;
  succeeded(): void;
  failed(): void;
  /** The try ended without a verdict about the target (the caller went away). */
  released(): void;
  state(): CircuitState;
}

const THRESHOLD = 5;
const REST_MS = 5_000;

/** Counts only what says "the target is away": no connection, no answer in time. A 500 is an answer. */
export function circuitBreaker(clock: Clock): CircuitBreaker {
  let failures = 0;
  let openUntil = 0;
  let trying = false;
  const state = (): CircuitState => {
    if (failures < THRESHOLD) return 'closed';
    return clock.now() < openUntil ? 'open' : 'half-open';
  };
  return {
    state,
    admits() {
      if (failures < THRESHOLD) return true;
      if (trying || clock.now() < openUntil) return false;
      trying = true;
      return true;
    },
    succeeded() {
      failures = 0;
      trying = false;
    },
    failed() {
      failures += 1;
      trying = false;
      if (failures >= THRESHOLD) openUntil = clock.now() + REST_MS;
    },
    released() {
      trying = false;
    },
  };
}
