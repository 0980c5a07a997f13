import * as z from 'zod';
import { empty, sql, type Database, type RowParser, type Sql } from '../ports/database.ts';

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
  /** Of due rows those where it is greater come first, then those that have been due for longest. */
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

/** `commit`: what cannot be undone is about to begin. */
export interface Step<Row extends Item> {
  readonly kind: 'done' | 'commit';
  readonly item: Row;
}

const Recorded = z.object({ kind: z.string(), id: z.string() });

export interface TableOptions<Row extends Item> {
  readonly table: QueueTable<Row>;
  readonly database: Pick<Database, 'query' | 'execute'>;
  /** The clock of all instances. Default: the database's. */
  readonly now?: () => Sql;
}

/** The statements of a queue. `lease`: an id of the caller's, under which rows are leased. All throw as `Database`. */
export interface LeasedRows<Row extends Item> {
  /** Leases due rows for so many milliseconds, and returns them in their order. */
  claim(lease: string, limit: number, ms: number): Promise<Row[]>;
  /** Ends an attempt by these assignments; false when the lease was lost. */
  giveBack(row: Row, lease: string, change: Sql): Promise<boolean>;
  /** Returns those steps whose rows still had the lease. */
  record(steps: readonly Step<Row>[], lease: string): Promise<Set<Step<Row>>>;
  /** Gives rows back as they were. */
  release(rows: readonly Row[], lease: string): Promise<void>;
  /** So many milliseconds from now. */
  at(ms: number): Sql;
}

export function leasedRows<Row extends Item>(options: TableOptions<Row>): LeasedRows<Row> {
  const { table, database, now = () => sql`now()` } = options;
  const at = (ms: number): Sql => sql`${now()} + interval '1 millisecond' * ${ms}::int`;
  return {
    at,
    claim: (lease, limit, ms) =>
      database.query(
        sql`
          with chosen as (${due(table, now(), limit)}),
          leased as (
            update ${table.name} as item set lease_id = ${lease}, lease_until = ${at(ms)}${also(table.onLease)}
            from chosen where item.id = chosen.id
            returning ${table.columns}, ${table.rank ?? sql`true`} as queue_rank, item.due_at as queue_due
          )
          select * from leased order by queue_rank desc, queue_due`,
        table.row,
      ),
    async giveBack({ id }, lease, change) {
      const changed = await database.execute(sql`
        update ${table.name} set ${change}, lease_id = null, lease_until = null
        where id = ${id} and lease_id = ${lease}`);
      return changed === 1;
    },
    async record(steps, lease) {
      const rows = await database.query(recording(table, steps, lease, now), Recorded);
      const recorded = new Set(rows.map(({ kind, id }) => `${kind} ${id}`));
      return new Set(steps.filter(({ kind, item }) => recorded.has(`${kind} ${item.id}`)));
    },
    async release(rows, lease) {
      if (rows.length === 0) return;
      await database.execute(sql`
        update ${table.name} set lease_id = null, lease_until = null
        where id = any(${rows.map(({ id }) => id)}) and lease_id = ${lease}`);
    },
  };
}

/** One statement for all steps. */
function recording<Row extends Item>(
  table: QueueTable<Row>,
  steps: readonly Step<Row>[],
  lease: string,
  now: () => Sql,
): Sql {
  const changes: Readonly<Record<Step<Row>['kind'], Sql>> = {
    done: sql`status = ${table.done}, finished_at = ${now()}, last_error = null${also(table.onDone)}, lease_id = null, lease_until = null`,
    commit: sql`lease_until = lease_until${also(table.onCommit)}`,
  };
  const mayCommit = sql`and lease_until > ${now()} ${notHeld(table.held)}`;
  const parts = (['done', 'commit'] as const).flatMap((kind) => {
    const ids = steps.flatMap((step) => (step.kind === kind ? [step.item.id] : []));
    if (ids.length === 0) return [];
    return [
      sql`update ${table.name} set ${changes[kind]} where id = any(${ids}) and lease_id = ${lease} ${kind === 'commit' ? mayCommit : empty}
          returning ${kind}::text as kind, id::text as id`,
    ];
  });
  const [first = empty, second] = parts;
  if (second === undefined) return first;
  return sql`with one as (${first}), other as (${second}) select * from one union all select * from other`;
}

/** Further assignments. */
export function also(assignments: Sql | undefined): Sql {
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
    order by ${rank === undefined ? empty : sql`${rank} desc,`} item.due_at
    limit ${limit}
    for update skip locked`;
}
