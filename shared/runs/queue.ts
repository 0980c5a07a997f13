import { sql, type Sql } from '../ports/database.ts';
import type { Random } from '../ports/runtime.ts';
import { backOffMs, WAITS, type Waits } from './back-off.ts';
import { joined } from './joined.ts';
import { inLanes } from './lanes.ts';
import { LeaseLost } from './lease.ts';
import { also, leasedRows, type Item, type LeasedRows, type Step, type TableOptions } from './queue-table.ts';

export interface QueueOptions<Row extends Item> extends TableOptions<Row> {
  readonly random: Pick<Random, 'uuid' | 'hex'>;
  /** Milliseconds that one attempt may take before another instance takes over the row. */
  readonly leaseMs?: number;
  /** Attempts before a row is set aside for the operator: with waits of five minutes at most, most of a day. */
  readonly mostAttempts?: number;
  /** Milliseconds of the first wait after a failure, and of the longest. */
  readonly waits?: Waits;
}

export interface FailedAttempt<Row extends Item> {
  readonly item: Row;
  readonly error: unknown;
  /** Counts from 1. */
  readonly attempt: number;
  /** The row is set aside: status `dead`. */
  readonly dead: boolean;
}

export interface Worker<Row extends Item> {
  /** Rows processed concurrently. */
  readonly parallel: number;
  /** Rows leased by one statement; what is not begun within five seconds goes back. Default: `parallel`. */
  readonly ahead?: number;
  /** False: no further row is begun. */
  goesOn?(): boolean;
  /**
   * `commit`: for right before what cannot be undone; records it, and by then the row that was worked on before it is recorded too. Throws
   * LeaseLost, where the row is held since too, and as `Database`.
   */
  work(item: Row, commit: () => Promise<void>): Promise<void>;
  /** True where no retry can help. */
  isFinal(error: unknown): boolean;
  /** Returns `last_error` of the row. */
  failed(failure: FailedAttempt<Row>): string;
  /** Further assignments of a row that failed. */
  onFailure?(failure: FailedAttempt<Row>): Sql | undefined;
  ended(outcome: Outcome): void;
}

/** `taken_over`: the lease expired meanwhile, and another instance has the row. */
export type Outcome = 'done' | 'failed' | 'dead' | 'taken_over';

export interface Queue<Row extends Item> {
  /** Processes up to `limit` due rows; returns counts by outcome. Throws as `Database`: claimed rows are then retried. */
  workOff(limit: number, worker: Worker<Row>): Promise<Readonly<Record<Outcome, number>>>;
}

const LEASE_MS = 60_000;
const MOST_ATTEMPTS = 250;

/** A queue in a table: each row is leased to one instance, retried after a growing wait, and finally set aside. */
export function openQueue<Row extends Item>(options: QueueOptions<Row>): Queue<Row> {
  const { random, leaseMs = LEASE_MS } = options;
  const rows = leasedRows(options);
  return {
    async workOff(limit, worker) {
      const counts = { done: 0, failed: 0, dead: 0, taken_over: 0 };
      for (let left = limit; left > 0 && worker.goesOn?.() !== false;) {
        const lease = random.uuid();
        const items = await rows.claim(lease, Math.min(left, worker.ahead ?? worker.parallel), leaseMs);
        if (items.length === 0) break;
        const outcomes = await workOffLeased(items, lease, worker, { ...options, rows });
        for (const outcome of outcomes) counts[outcome] += 1;
        left -= outcomes.length;
      }
      return counts;
    },
  };
}

type Parts<Row extends Item> = Pick<QueueOptions<Row>, 'random' | 'mostAttempts' | 'waits'> & {
  readonly rows: LeasedRows<Row>;
};

async function workOffLeased<Row extends Item>(
  items: readonly Row[],
  lease: string,
  worker: Worker<Row>,
  parts: Parts<Row>,
): Promise<Outcome[]> {
  const { rows } = parts;
  const recorded = joined((steps: readonly Step<Row>[]) => rows.record(steps, lease));
  const outcomes: Outcome[] = [];
  let refused = false;
  const ended = (outcome: Outcome): void => {
    outcomes.push(outcome);
    worker.ended(outcome);
  };
  const attempt = async (item: Row): Promise<() => Promise<void>> => {
    try {
      await worker.work(item, async () => {
        if (await recorded({ kind: 'commit', item })) return;
        // What holds one row back, or was too slow for it, is true of those behind it.
        refused = true;
        throw new LeaseLost('instance');
      });
    } catch (error) {
      const outcome = await fail(item, lease, error, worker, parts);
      return async () => {
        ended(outcome);
      };
    }
    return async () => {
      ended((await recorded({ kind: 'done', item })) ? 'done' : 'taken_over');
    };
  };
  const goesOn = (): boolean => !refused && worker.goesOn?.() !== false;
  await rows.release(await inLanes(items, { parallel: worker.parallel, goesOn }, attempt), lease);
  return outcomes;
}

async function fail<Row extends Item>(
  item: Row,
  lease: string,
  error: unknown,
  worker: Worker<Row>,
  { rows, random, mostAttempts = MOST_ATTEMPTS, waits = WAITS }: Parts<Row>,
): Promise<Outcome> {
  const attempt = item.attempts + 1;
  const dead = worker.isFinal(error) || attempt >= mostAttempts;
  const failure = { item, error, attempt, dead };
  const reason = worker.failed(failure);
  const next = dead ? sql`status = 'dead'` : sql`due_at = ${rows.at(backOffMs(attempt, waits, random))}`;
  const change = sql`${next}, attempts = attempts + 1, last_error = ${reason}${also(worker.onFailure?.(failure))}`;
  if (!(await rows.giveBack(item, lease, change))) return 'taken_over';
  return dead ? 'dead' : 'failed';
}
