import { FeatureSyncRefused } from './effects.ts';
import type { Runs } from './runs.ts';

export interface Patience {
  /** Rejects when the command was interrupted. */
  readonly sleep: (ms: number) => Promise<void>;
  /** Milliseconds to wait for another run to end or, when it died, for its lease to run out. */
  readonly waitMs: number;
}

const POLL_MS = 500;

/** One run at a time, on however many machines. Throws FeatureSyncRefused when another goes on for too long. */
export async function withLease<T>(
  runs: Runs,
  { sleep, waitMs }: Patience,
  work: () => Promise<T>,
): Promise<T> {
  for (let waited = 0; !(await runs.acquire()); waited += POLL_MS) {
    if (waited >= waitMs)
      throw new FeatureSyncRefused('another feature sync is running: try again when it is done');
    await sleep(POLL_MS);
  }
  try {
    return await work();
  } finally {
    // What cannot be given back runs out by itself.
    await runs.release().catch(() => undefined);
  }
}
