import * as z from 'zod';
import { empty, parseRows, sql, type Database, type RowParser, type Sql } from '../ports/database.ts';
import type { Processes } from '../ports/runtime.ts';

/** Another run has taken over: this process must stop writing. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';

  constructor(what: string) {
    super(`another ${what} has taken over`);
  }
}

/** Another run still holds the lease after the wait. */
export class LeaseHeld extends Error {
  override readonly name = 'LeaseHeld';

  constructor(what: string, runId: string | undefined) {
    super(
      `another ${what} is running${runId === undefined ? '' : ` (run ${runId})`}: try again when it is done`,
    );
  }
}

export interface LeaseOptions {
  /** The exclusive work, as errors name it. */
  readonly name: string;
  /** Expiry without a renewal, in milliseconds. */
  readonly ms?: number;
  /** Detects a dead holder before its lease expires; absent: never. */
  readonly processes?: Processes;
}

export interface Claim {
  readonly runId: string;
  /** The time of a schedule to be served: at most once each, and monotonic. */
  readonly due?: Date | null;
  /** A dead holder, to be followed. */
  readonly over?: Pick<Holder, 'runId' | 'token'>;
  /** Further CTEs of the same statement, as `, name as (…)`; `taken` has a row when the lease was taken. */
  readonly also?: Sql;
}

/**
 * An exclusive lease on any number of machines, by the database's clock. It expires unless renewed. Its fencing token grows
 * with each taking and is a condition of every renewal and write, so that a process that was paused for longer than the
 * lease fails there once another has taken over.
 */
export interface Lease {
  readonly name: string;
  /** Milliseconds between renewals; 0: renewed by its writes alone. */
  readonly heartbeatMs: number;
  /** Returns false while another run holds it, or when `due` was served. */
  take(claim: Claim): Promise<boolean>;
  /** Renews it. Throws LeaseLost. */
  hold(): Promise<void>;
  /** Executes a change in the statement that renews the lease: `held` has a row while it is held. Throws LeaseLost. */
  write(change: Sql): Promise<void>;
  /**
   * As `write`, with an answer. `changes`: CTEs, as `name as (…), …`; `answer`: a query over them. A row arrives as jsonb holds it,
   * so that a time is a text. Throws LeaseLost.
   */
  query<T>(changes: Sql, answer: Sql, row: RowParser<T>): Promise<T[]>;
  /** Returns false when it was lost. `well`: recorded as the last success. `also`: as in a claim; executed even when lost. */
  release(ending?: { readonly well?: boolean; readonly also?: Sql }): Promise<boolean>;
  /** The run that holds it now; undefined when none or this one does. */
  holder(): Promise<Holder | undefined>;
}

export interface Holder {
  readonly runId: string;
  readonly token: number;
  /** Its process ran on this machine and has ended. */
  readonly dead: boolean;
}

export const LEASE_MS = 30_000;

const AnswerRow = z.object({ held: z.number(), answer: z.unknown() });
const TokenRow = z.object({ token: z.number() });
const HolderRow = z.object({ run_id: z.string(), token: z.number(), holder: z.string().nullable() });

export function openLease(database: Pick<Database, 'query' | 'execute'>, options: LeaseOptions): Lease {
  const { name, ms = LEASE_MS, processes } = options;
  const until = sql`now() + interval '1 millisecond' * ${ms}::int`;
  let mine: { readonly token: number; readonly runId: string } | undefined;
  // The previous release takes leases of jobs under a new run without raising the token.
  const isOf = (run: Pick<Holder, 'runId' | 'token'> | undefined): Sql =>
    run === undefined ? sql`false` : sql`lease.token = ${run.token} and lease.run_id = ${run.runId}`;
  const isMine = (): Sql => sql`lease.name = ${name} and ${isOf(mine)}`;
  const renewal = (): Sql =>
    sql`held as (update sallyport_leases as lease set expires_at = ${until} where ${isMine()} returning 1)`;
  const renew = async (also: Sql = empty): Promise<void> => {
    const held = await database.execute(sql`with ${renewal()} ${also} select from held`);
    if (held === 0) throw new LeaseLost(name);
  };
  return {
    name,
    heartbeatMs: ms / 3,
    async take({ runId, due = null, over, also = empty }) {
      const rows = await database.query(
        sql`
          with taken as (
            insert into sallyport_leases as lease (name, token, run_id, holder, expires_at, due_at)
            values (${name}, 1, ${runId}, ${processes?.own ?? null}, ${until}, ${due})
            on conflict (name) do update
              set token = lease.token + 1, run_id = excluded.run_id, holder = excluded.holder, expires_at = excluded.expires_at,
                due_at = coalesce(excluded.due_at, lease.due_at)
              where (lease.expires_at <= now() or ${isOf(over)})
                and (excluded.due_at is null or lease.due_at is null or lease.due_at < excluded.due_at)
            returning token
          ) ${also}
          select token from taken`,
        TokenRow,
      );
      const [row] = rows;
      if (row !== undefined) mine = { token: row.token, runId };
      return row !== undefined;
    },
    hold: () => renew(),
    write: (change) => renew(sql`, changed as (${change})`),
    async query(changes, answer, row) {
      const found = await database.query(
        sql`with ${renewal()}, ${changes}, answer as (${answer})
            select (select count(*)::int from held) as held, to_jsonb(answer) as answer
            from (select 1) as always left join answer on true`,
        AnswerRow,
      );
      if (found[0]?.held !== 1) throw new LeaseLost(name);
      const rows = found.map((each) => each.answer).filter((each) => each !== null);
      return parseRows(rows, row);
    },
    async release({ well = false, also = empty } = {}) {
      const released = await database.execute(sql`
        with released as (
          update sallyport_leases as lease
          set expires_at = now(), holder = null, last_success_at = case when ${well}::boolean then now() else last_success_at end
          where ${isMine()} returning 1
        ) ${also}
        select from released`);
      mine = undefined;
      return released > 0;
    },
    async holder() {
      const rows = await database.query(
        sql`select run_id, token, holder from sallyport_leases as lease
            where name = ${name} and expires_at > now() and not (${isMine()})`,
        HolderRow,
      );
      const [row] = rows;
      if (row === undefined) return undefined;
      const dead = row.holder !== null && processes?.isDead(row.holder) === true;
      return { runId: row.run_id, token: row.token, dead };
    },
  };
}

export interface Patience {
  /** Rejects when the command is interrupted. */
  readonly sleep: (ms: number) => Promise<void>;
  /** Milliseconds to wait for another run to end or, when it died, for its lease to expire. */
  readonly waitMs: number;
}

const POLL_MS = 500;

/** Takes the lease, runs `work` while renewing it, and releases it. Throws LeaseHeld, and as `Database`. */
export async function withLease<T>(
  lease: Lease,
  runId: string,
  { sleep, waitMs }: Patience,
  work: () => Promise<T>,
): Promise<T> {
  for (let waited = 0; !(await lease.take({ runId })); waited += POLL_MS) {
    const holder = await lease.holder();
    if (holder?.dead === true && (await lease.take({ runId, over: holder }))) break;
    if (waited >= waitMs) throw new LeaseHeld(lease.name, holder?.runId);
    await sleep(POLL_MS);
  }
  try {
    return await renewed(lease, work);
  } finally {
    // A lease that cannot be released expires.
    await lease.release().catch(() => false);
  }
}

/** Renews the lease while `work` runs. `lost` is aborted once another run has taken over. */
export async function renewed<T>(
  lease: Pick<Lease, 'heartbeatMs' | 'hold'>,
  work: (lost: AbortSignal) => Promise<T>,
): Promise<T> {
  const lost = new AbortController();
  const beat = async (): Promise<void> => {
    try {
      await lease.hold();
    } catch (error) {
      // While the database is away the next beat retries, and writes fail anyway.
      if (error instanceof LeaseLost) lost.abort(error);
    }
  };
  const beating = lease.heartbeatMs > 0 ? setInterval(() => void beat(), lease.heartbeatMs) : undefined;
  try {
    return await work(lost.signal);
  } finally {
    clearInterval(beating);
  }
}
