import { empty, sql, type Database, type RowParser, type Sql } from '../ports/database.ts';
import type { Random } from '../ports/runtime.ts';

/** A leased row, with the columns that the queue itself reads. */
export interface Item {
  readonly id: string;
  /** Failed attempts. */
  readonly attempts: number;
}

/** A table as a queue. Its columns: id, status, due_at, attempts, lease_id, lease_until, finished_at, last_error. */
export interface QueueTable<Row extends Item> {
  readonly name: Sql;
  /** Columns of a leased row; the table's alias is `item`. */
  readonly columns: Sql;
  readonly row: RowParser<Row>;
  /** Status of completed rows; that of the others is `pending` or `dead`. */
  readonly done: string;
  /** Absent: rows are independent. */
  readonly order?: QueueOrder;
  /** Sorts due rows before their due time does, as `urgent desc`. */
  readonly rank?: Sql;
  /** True where a row is not leased yet, though it is due. */
  readonly held?: Sql;
  /** Further assignments when a row is leased, and when it is done. */
  readonly onLease?: Sql;
  readonly onDone?: Sql;
}

/** Rows with the same key are processed one at a time. */
export interface QueueOrder {
  readonly key: Sql;
  /** True where a pending row `other` of the same key precedes `item`. */
  readonly precedes: (now: Sql) => Sql;
}

export interface QueueOptions<Row extends Item> {
  readonly table: QueueTable<Row>;
  readonly database: Pick<Database, 'query' | 'execute'>;
  readonly random: Pick<Random, 'uuid' | 'hex'>;
  /** The clock of all instances. Default: the database's. */
  readonly now?: () => Sql;
  /** Milliseconds that one attempt may take before another instance takes over the row. */
  readonly leaseMs?: number;
  /** Attempts before a row is set aside for the operator: with waits of five minutes at most, most of a day. */
  readonly mostAttempts?: number;
  /** Milliseconds of the first wait after a failure, and of the longest. */
  readonly waits?: Waits;
}

interface Waits {
  readonly firstMs: number;
  readonly mostMs: number;
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
  /** False: no further row is leased. */
  goesOn?(): boolean;
  /** `lease`: the row's lease_id while this attempt has it. */
  work(item: Row, lease: string): Promise<void>;
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
  const { table, database, random } = options;
  const { now = () => sql`now()`, leaseMs = LEASE_MS, mostAttempts = MOST_ATTEMPTS, waits = WAITS } = options;
  const at = (ms: number): Sql => sql`${now()} + interval '1 millisecond' * ${ms}::int`;
  /** False when the lease was lost. */
  const giveBack = async ({ id }: Row, lease: string, change: Sql): Promise<boolean> => {
    const changed = await database.execute(sql`
      update ${table.name} set ${change}, lease_id = null, lease_until = null
      where id = ${id} and lease_id = ${lease}`);
    return changed === 1;
  };
  const claim = (lease: string, limit: number): Promise<Row[]> =>
    database.query(
      sql`
        with chosen as (${due(table, now(), limit)})
        update ${table.name} as item set lease_id = ${lease}, lease_until = ${at(leaseMs)}${also(table.onLease)}
        from chosen where item.id = chosen.id
        returning ${table.columns}`,
      table.row,
    );
  const fail = async (item: Row, lease: string, error: unknown, worker: Worker<Row>): Promise<Outcome> => {
    const attempt = item.attempts + 1;
    const dead = worker.isFinal(error) || attempt >= mostAttempts;
    const failure = { item, error, attempt, dead };
    const reason = worker.failed(failure);
    const next = dead ? sql`status = 'dead'` : sql`due_at = ${at(backOffMs(attempt, waits, random))}`;
    const change = sql`${next}, attempts = attempts + 1, last_error = ${reason}${also(worker.onFailure?.(failure))}`;
    if (!(await giveBack(item, lease, change))) return 'taken_over';
    return dead ? 'dead' : 'failed';
  };
  const attempt = async (item: Row, lease: string, worker: Worker<Row>): Promise<Outcome> => {
    try {
      await worker.work(item, lease);
    } catch (error) {
      return fail(item, lease, error, worker);
    }
    const change = sql`status = ${table.done}, finished_at = ${now()}, last_error = null${also(table.onDone)}`;
    return (await giveBack(item, lease, change)) ? 'done' : 'taken_over';
  };
  return {
    async workOff(limit, worker) {
      const counts = { done: 0, failed: 0, dead: 0, taken_over: 0 };
      for (let left = limit; left > 0 && worker.goesOn?.() !== false;) {
        const lease = random.uuid();
        const items = await claim(lease, Math.min(left, worker.parallel));
        if (items.length === 0) break;
        left -= items.length;
        for (const outcome of await Promise.all(items.map((item) => attempt(item, lease, worker)))) {
          counts[outcome] += 1;
          worker.ended(outcome);
        }
      }
      return counts;
    },
  };
}

function also(assignments: Sql | undefined): Sql {
  return assignments === undefined ? empty : sql`, ${assignments}`;
}

/** The next rows, at most one per key; locked until the statement ends, and skipped where another claim locked them. */
function due(
  { name, order, rank, held }: Pick<QueueTable<Item>, 'name' | 'order' | 'rank' | 'held'>,
  now: Sql,
  limit: number,
): Sql {
  const first =
    order === undefined
      ? empty
      : sql`and not exists (
        select from ${name} as other
        where other.${order.key} = item.${order.key} and other.status = 'pending' and other.id <> item.id
          and (other.lease_until > ${now} or ${order.precedes(now)})
      )`;
  return sql`
    select id from ${name} as item
    where status = 'pending' and due_at <= ${now} and (lease_until is null or lease_until <= ${now})
      ${held === undefined ? empty : sql`and not (${held})`} ${first}
    order by ${rank === undefined ? empty : sql`${rank},`} due_at
    limit ${limit}
    for update skip locked`;
}

const WAITS: Waits = { firstMs: 1_000, mostMs: 300_000 };

/** Milliseconds until the next attempt: doubling, half of it random, so that retries do not coincide. */
function backOffMs(attempt: number, { firstMs, mostMs }: Waits, random: Pick<Random, 'hex'>): number {
  const wait = Math.min(mostMs, firstMs * 2 ** Math.min(attempt - 1, 20));
  const chance = Number.parseInt(random.hex(2), 16) / 0xffff;
  return Math.round(wait / 2 + (wait / 2) * chance);
}
