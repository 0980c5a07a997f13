import * as z from 'zod';
import { empty, sql, type Database, type RowParser, type Sql } from '../ports/database.ts';
import type { Random } from '../ports/runtime.ts';
import { backOffMs, WAITS, type Waits } from './back-off.ts';
import { joined } from './joined.ts';
import { inLanes } from './lanes.ts';
import { LeaseLost } from './lease.ts';

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
  /** Assignments of `commit`. */
  readonly onCommit?: Sql;
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
  const changes: Readonly<Record<Step<Row>['kind'], Sql>> = {
    done: sql`status = ${table.done}, finished_at = ${now()}, last_error = null${also(table.onDone)}, lease_id = null, lease_until = null`,
    commit: sql`lease_until = lease_until${also(table.onCommit)}`,
  };
  const mayCommit = sql`and lease_until > ${now()} ${notHeld(table.held)}`;
  /** Those of them that still had the lease. */
  const record = async (steps: readonly Step<Row>[], lease: string): Promise<Set<Step<Row>>> => {
    const parts = (['done', 'commit'] as const).flatMap((kind) => {
      const ids = steps.flatMap((step) => (step.kind === kind ? [step.item.id] : []));
      const holds = kind === 'commit' ? mayCommit : empty;
      return ids.length === 0
        ? []
        : [
            sql`update ${table.name} set ${changes[kind]} where id = any(${ids}) and lease_id = ${lease} ${holds}
                returning ${kind}::text as kind, id::text as id`,
          ];
    });
    const [first = empty, second] = parts;
    const statement =
      second === undefined
        ? first
        : sql`with one as (${first}), other as (${second}) select * from one union all select * from other`;
    const rows = await database.query(statement, Recorded);
    const recorded = new Set(rows.map(({ kind, id }) => `${kind} ${id}`));
    return new Set(steps.filter(({ kind, item }) => recorded.has(`${kind} ${item.id}`)));
  };
  /** Those that no attempt was begun for. */
  const release = async (items: readonly Row[], lease: string): Promise<void> => {
    if (items.length === 0) return;
    await database.execute(sql`
      update ${table.name} set lease_id = null, lease_until = null
      where id = any(${items.map(({ id }) => id)}) and lease_id = ${lease}`);
  };
  const workOffLeased = async (
    items: readonly Row[],
    lease: string,
    worker: Worker<Row>,
  ): Promise<Outcome[]> => {
    const recorded = joined((steps: readonly Step<Row>[]) => record(steps, lease));
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
        const outcome = await fail(item, lease, error, worker);
        return async () => {
          ended(outcome);
        };
      }
      return async () => {
        ended((await recorded({ kind: 'done', item })) ? 'done' : 'taken_over');
      };
    };
    const goesOn = (): boolean => !refused && worker.goesOn?.() !== false;
    const rest = await inLanes(items, { parallel: worker.parallel, goesOn }, attempt);
    await release(rest, lease);
    return outcomes;
  };
  return {
    async workOff(limit, worker) {
      const counts = { done: 0, failed: 0, dead: 0, taken_over: 0 };
      for (let left = limit; left > 0 && worker.goesOn?.() !== false;) {
        const lease = random.uuid();
        const items = await claim(lease, Math.min(left, worker.ahead ?? worker.parallel));
        if (items.length === 0) break;
        const outcomes = await workOffLeased(items, lease, worker);
        for (const outcome of outcomes) counts[outcome] += 1;
        left -= outcomes.length;
      }
      return counts;
    },
  };
}

interface Step<Row extends Item> {
  readonly kind: 'done' | 'commit';
  readonly item: Row;
}

const Recorded = z.object({ kind: z.string(), id: z.string() });

function also(assignments: Sql | undefined): Sql {
  return assignments === undefined ? empty : sql`, ${assignments}`;
}

function notHeld(held: Sql | undefined): Sql {
  return held === undefined ? empty : sql`and not (${held})`;
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
      ${notHeld(held)} ${first}
    order by ${rank === undefined ? empty : sql`${rank},`} due_at
    limit ${limit}
    for update skip locked`;
}
