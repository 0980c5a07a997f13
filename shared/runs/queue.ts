import { sql, type Database, type RowParser, type Sql } from '../ports/database.ts';
import type { Random } from '../ports/runtime.ts';

/** A row under way, with what the queue itself reads of it. */
export interface Item {
  readonly id: string;
  /** Attempts that failed. */
  readonly attempts: number;
}

/** A table as a queue. Its columns: id, status, due_at, attempts, lease_id, lease_until, finished_at, last_error. */
export interface QueueTable<Row extends Item> {
  readonly name: Sql;
  /** What a row under way is made of; the table is `item`. */
  readonly columns: Sql;
  readonly row: RowParser<Row>;
  /** The status of rows that are through; of the others it is `pending` or `dead`. */
  readonly done: string;
  readonly order: QueueOrder;
}

/** Rows that share a key are under way one at a time. */
export interface QueueOrder {
  readonly key: Sql;
  /** True where a pending row `other` of the same key goes before `item`. */
  readonly precedes: (now: Sql) => Sql;
}

export interface QueueOptions<Row extends Item> {
  readonly table: QueueTable<Row>;
  readonly database: Pick<Database, 'query' | 'execute'>;
  readonly random: Pick<Random, 'uuid' | 'hex'>;
  /** The one clock of all instances. Default: the database's. */
  readonly now?: () => Sql;
  /** Milliseconds that one attempt may take before another instance takes the row over. */
  readonly leaseMs?: number;
  /** Attempts before a row is set aside for a person: with waits of five minutes at most, most of a day. */
  readonly mostAttempts?: number;
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
  /** Rows under way at the same time. */
  readonly parallel: number;
  work(item: Row): Promise<void>;
  /** True where no further attempt can help. */
  isFinal(error: unknown): boolean;
  /** Returns what is stored beside the row. */
  failed(failure: FailedAttempt<Row>): string;
  ended(outcome: Outcome): void;
}

/** `taken_over`: the lease ran out meanwhile, and another instance has the row. */
export type Outcome = 'done' | 'failed' | 'dead' | 'taken_over';

export interface Queue<Row extends Item> {
  /** Works off up to `limit` rows that are due; returns how many ended how. Throws as `Database`: what was claimed comes again. */
  workOff(limit: number, worker: Worker<Row>): Promise<Readonly<Record<Outcome, number>>>;
}

const LEASE_MS = 60_000;
const MOST_ATTEMPTS = 250;

/** Work that waits in a table: each row is leased to one instance, tried again after a growing wait, and set aside in the end. */
export function openQueue<Row extends Item>(options: QueueOptions<Row>): Queue<Row> {
  const { table, database, random } = options;
  const { now = () => sql`now()`, leaseMs = LEASE_MS, mostAttempts = MOST_ATTEMPTS } = options;
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
        update ${table.name} as item set lease_id = ${lease}, lease_until = ${at(leaseMs)}
        from chosen where item.id = chosen.id
        returning ${table.columns}`,
      table.row,
    );
  const fail = async (item: Row, lease: string, error: unknown, worker: Worker<Row>): Promise<Outcome> => {
    const attempt = item.attempts + 1;
    const dead = worker.isFinal(error) || attempt >= mostAttempts;
    const reason = worker.failed({ item, error, attempt, dead });
    const next = dead ? sql`status = 'dead'` : sql`due_at = ${at(backOffMs(attempt, random))}`;
    const change = sql`${next}, attempts = attempts + 1, last_error = ${reason}`;
    if (!(await giveBack(item, lease, change))) return 'taken_over';
    return dead ? 'dead' : 'failed';
  };
  const attempt = async (item: Row, lease: string, worker: Worker<Row>): Promise<Outcome> => {
    try {
      await worker.work(item);
    } catch (error) {
      return fail(item, lease, error, worker);
    }
    const change = sql`status = ${table.done}, finished_at = ${now()}, last_error = null`;
    return (await giveBack(item, lease, change)) ? 'done' : 'taken_over';
  };
  return {
    async workOff(limit, worker) {
      const counts = { done: 0, failed: 0, dead: 0, taken_over: 0 };
      for (let left = limit; left > 0;) {
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

/** The next rows, at most one of each key; locked until the statement is through, and skipped where another claim locked them. */
function due({ name, order }: Pick<QueueTable<Item>, 'name' | 'order'>, now: Sql, limit: number): Sql {
  return sql`
    select id from ${name} as item
    where status = 'pending' and due_at <= ${now} and (lease_until is null or lease_until <= ${now})
      and not exists (
        select from ${name} as other
        where other.${order.key} = item.${order.key} and other.status = 'pending' and other.id <> item.id
          and (other.lease_until > ${now} or ${order.precedes(now)})
      )
    order by due_at
    limit ${limit}
    for update skip locked`;
}

const FIRST_MS = 1_000;
const MOST_MS = 300_000;

/** Milliseconds until the next attempt: doubling, half of it by chance so that no herd comes back at once. */
function backOffMs(attempt: number, random: Pick<Random, 'hex'>): number {
  const wait = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 20));
  const chance = Number.parseInt(random.hex(2), 16) / 0xffff;
  return Math.round(wait / 2 + (wait / 2) * chance);
}
