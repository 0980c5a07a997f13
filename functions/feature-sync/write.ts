import { TUPLES_PER_WRITE, type Tuple, type Tuples } from '../../shared/ports/tuples.ts';
import { RelationsUnavailable } from '../../shared/errors.ts';
import type { Lease } from '../../shared/runs/lease.ts';

/** Concurrent writes: enough to hide the round trip, too few to crowd out the checks of requests. */
const PARALLEL = 4;

export interface Work {
  readonly kind: 'writes' | 'deletes';
  readonly tuples: readonly Tuple[];
  /** Leading tuples that are done. */
  readonly from: number;
  /** Called after each round with the count done. Later work is repeated when the process dies. */
  readonly onDone: (done: number) => Promise<void>;
}

/** At most 100 tuples a write; writes are idempotent. When one fails, none is in flight any more. */
export async function writeAll(
  tuples: Pick<Tuples, 'write'>,
  { kind, tuples: all, from, onDone }: Work,
): Promise<void> {
  const round = TUPLES_PER_WRITE * PARALLEL;
  for (let at = from; at < all.length; at += round) {
    const batches = Array.from({ length: PARALLEL }, (_, index) => {
      const start = at + index * TUPLES_PER_WRITE;
      return all.slice(start, start + TUPLES_PER_WRITE);
    });
    const writes = batches.filter(({ length }) => length > 0).map((batch) => tuples.write({ [kind]: batch }));
    // A write that outlived its run could restore what was deleted since then.
    await Promise.allSettled(writes);
    await Promise.all(writes);
    await onDone(Math.min(at + round, all.length));
  }
}

const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 200;

/** Retries reads and writes while OpenFGA is briefly away: no request waits for a sync. */
export function patient(
  tuples: Pick<Tuples, 'read' | 'write'>,
  sleep: (ms: number) => Promise<void>,
): Pick<Tuples, 'read' | 'write'> {
  const again = async <T>(work: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (attempt === ATTEMPTS || !(error instanceof RelationsUnavailable)) throw error;
      }
      await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1));
    }
  };
  return {
    read: (filter, continuation) => again(() => tuples.read(filter, continuation)),
    write: (changes) => again(() => tuples.write(changes)),
  };
}

/**
 * Each write first renews the lease: a process that was paused for longer than the lease writes nothing once another run has
 * begun. OpenFGA takes no fencing token, so a pause between the two would still pass; the write ends well within the lease,
 * or is aborted.
 */
export function fenced(
  tuples: Pick<Tuples, 'read' | 'write'>,
  lease: Pick<Lease, 'hold'>,
): Pick<Tuples, 'read' | 'write'> {
  return {
    read: (filter, continuation) => tuples.read(filter, continuation),
    async write(changes) {
      await lease.hold();
      await tuples.write(changes);
    },
  };
}
