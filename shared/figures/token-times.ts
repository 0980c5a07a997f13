import { sql, type Database } from '../ports/database.ts';
import type { Clock } from '../ports/runtime.ts';

/** Buckets end before 100 ms * 2^((b - MIDDLE) / PER_OCTAVE), so that the target is the end of one. The last one has no end. */
const TARGET_US = 100_000;
const MIDDLE = 40;
const PER_OCTAVE = 4;
const BUCKETS = 81;

const FLUSH_MS = 30_000;

export interface TokenTimes {
  /** Counts the check of one token, in microseconds. */
  readonly add: (us: number) => void;
  /** Writes what has been counted. Never rejects: what cannot be written waits for the next time. */
  readonly flush: () => Promise<void>;
}

export interface TokenTimesDeps {
  readonly database: Pick<Database, 'execute'>;
  readonly clock: Clock;
  readonly background: (work: Promise<unknown>) => void;
}

/** How long checks of tokens take in this process, as a histogram that is added to that of all instances while requests come. */
export function openTokenTimes({ database, clock, background }: TokenTimesDeps): TokenTimes {
  const counts = new Float64Array(BUCKETS);
  let flushedMs = 0;
  const flush = async (): Promise<void> => {
    // In the order of buckets, so that two instances cannot wait for each other.
    const taken = [...counts.entries()].filter(([, n]) => n > 0);
    if (taken.length === 0) return;
    counts.fill(0);
    try {
      await database.execute(sql`
        insert into sallyport_token_checks as kept (day, bucket, n)
        select (now() at time zone 'UTC')::date, bucket, n from unnest(
          ${taken.map(([bucket]) => bucket)}::smallint[], ${taken.map(([, n]) => n)}::bigint[]
        ) as counted (bucket, n)
        on conflict (day, bucket) do update set n = kept.n + excluded.n`);
    } catch {
      for (const [bucket, n] of taken) counts[bucket] = (counts[bucket] ?? 0) + n;
    }
  };
  return {
    flush,
    add(us) {
      const bucket = bucketOf(us);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      const now = clock.now();
      if (now - flushedMs < FLUSH_MS) return;
      flushedMs = now;
      background(flush());
    },
  };
}

export function bucketOf(us: number): number {
  if (us <= 0) return 0;
  const bucket = Math.floor(PER_OCTAVE * Math.log2(us / TARGET_US)) + MIDDLE + 1;
  return Math.min(BUCKETS - 1, Math.max(0, bucket));
}

/** Milliseconds below which a share of checks was, from counts by bucket, spread evenly within each; null without any. */
export function quantileMs(counts: ReadonlyMap<number, number>, share: number): number | null {
  const total = [...counts.values()].reduce((sum, n) => sum + n, 0);
  let left = share * total;
  for (const [bucket, n] of [...counts].sort(([a], [b]) => a - b)) {
    if (left > n) left -= n;
    else if (n > 0) {
      const low = bucket === 0 ? 0 : endMs(bucket - 1);
      return low + ((endMs(bucket) - low) * Math.max(0, left - 0.5)) / n;
    }
  }
  return null;
}

function endMs(bucket: number): number {
  return (TARGET_US / 1_000) * 2 ** ((bucket - MIDDLE) / PER_OCTAVE);
}
