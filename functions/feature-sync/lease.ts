import { FeatureSyncRefused } from './effects.ts';
import type { Tuples } from '../../shared/ports/tuples.ts';
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
  const stop = keepHeld(runs);
  try {
    return await work();
  } finally {
    stop();
    // What cannot be given back runs out by itself.
    await runs.release().catch(() => undefined);
  }
}

/** A long read must not cost the lease. What was lost shows with the next write, which is refused. */
function keepHeld({ heartbeatMs, hold }: Pick<Runs, 'heartbeatMs' | 'hold'>): () => void {
  if (heartbeatMs === 0) return () => undefined;
  const beating = setInterval(() => void hold().catch(() => undefined), heartbeatMs);
  return () => {
    clearInterval(beating);
  };
}

/**
 * Each write asks first whether the lease is still held: a process that was paused for longer than the lease writes nothing
 * of its own once another run has begun. OpenFGA takes no fence itself, so a pause between the two would still pass; the
 * write is over well within the lease, or is given up.
 */
export function fenced(
  tuples: Pick<Tuples, 'read' | 'write'>,
  runs: Pick<Runs, 'hold'>,
): Pick<Tuples, 'read' | 'write'> {
  return {
    read: (filter, continuation) => tuples.read(filter, continuation),
    async write(changes) {
      await runs.hold();
      await tuples.write(changes);
    },
  };
}
