import * as z from 'zod';
import { DatabaseError, json, sql, type Database } from '../ports/database.ts';
import type { Lease } from '../runs/lease.ts';
import { hasPasswords } from '../people/users.ts';
import { COLUMNS, intention, resolution, type LedgerOf, type Resolution } from './ledger-changes.ts';
import {
  accountOf,
  ELIGIBLE,
  FULL_USER,
  FullRow,
  linked,
  LIVE,
  taken,
  USERS,
  type FullUser,
} from './people.ts';

/**
 * `listed`: named by a file. `intended`: the provider is being called. `signed_in`: a sign-in by password made the account meanwhile.
 * `gone`: the user was deleted meanwhile, and the account is still to be. `removed`: it is deleted too. `undoing`, `undone`, `kept`: of a
 * rollback. `forgotten`: the person was erased.
 */
export type LedgerState =
  | 'listed'
  | 'intended'
  | 'created'
  | 'linked'
  | 'signed_in'
  | 'collision'
  | 'refused'
  | 'failed'
  | 'gone'
  | 'removed'
  | 'undoing'
  | 'undone'
  | 'kept'
  | 'forgotten';

export type { Resolution } from './ledger-changes.ts';

/** Every change depends on the lease. Throws LeaseLost, and as `Database`. */
export interface Ledger {
  /** Keeps who a file names. */
  list(userIds: readonly string[]): Promise<void>;
  /** Keeps who is left out of the run. */
  leaveOut(rows: readonly Resolution[]): Promise<void>;
  /** Those of the users who may get an account now, after it is written that they are to. `existing`: ids of accounts. */
  intend(userIds: readonly string[], existing: ReadonlySet<string>): Promise<FullUser[]>;
  /** The same for users who have a link to an account that is not there. */
  intendAgain(userIds: readonly string[]): Promise<FullUser[]>;
  /** Links, and writes what became of each. Returns those who were deleted meanwhile: their state is `gone`. */
  resolve(rows: readonly Resolution[]): Promise<readonly string[]>;
  /** Turns rows of users who were deleted meanwhile, or may have no account any more, to `gone`; of others' links to `linked`. */
  settle(): Promise<void>;
  /** The same where users have a link all along. */
  settleRelinking(): Promise<void>;
  /** Who an earlier process of this run was cut off at. */
  intended(): Promise<readonly string[]>;
  /** Up to some of the accounts that are to be removed; `ours`: made by this run. */
  gone(): Promise<readonly { readonly userId: string; readonly ours: boolean }[]>;
  removed(userIds: readonly string[]): Promise<void>;
  counts(): Promise<Readonly<Partial<Record<LedgerState, number>>>>;
}

const CountsRow = z.object({ state: z.string(), count: z.number() });
const IdRow = z.object({ userId: z.string() });
const GoneRow = z.object({ userId: z.string(), ours: z.boolean() });
const REMOVED_AT_ONCE = 100;
const LISTED_AT_ONCE = 5_000;

export function openLedger(
  database: Pick<Database, 'query'>,
  lease: Pick<Lease, 'write' | 'query'>,
  { runId, issuer, who }: LedgerOf,
): Ledger {
  let passwords: Promise<boolean> | undefined;
  return {
    async list(userIds) {
      for (let at = 0; at < userIds.length; at += LISTED_AT_ONCE)
        await lease.write(sql`
          insert into sallyport_ledger (run_id, user_id, state)
          select ${runId}::uuid, id, 'listed' from unnest(${userIds.slice(at, at + LISTED_AT_ONCE)}::uuid[]) as given(id)
          where exists (select from held) on conflict do nothing`);
    },
    async leaveOut(rows) {
      for (let at = 0; at < rows.length; at += LISTED_AT_ONCE)
        await lease.write(sql`
          insert into sallyport_ledger (run_id, user_id, state, reason)
          select ${runId}::uuid, g."userId", g.state, g.reason
          from jsonb_to_recordset(${json(rows.slice(at, at + LISTED_AT_ONCE))}::jsonb) as g(${COLUMNS})
          where exists (select from held)
          on conflict (run_id, user_id) do update set state = excluded.state, reason = excluded.reason
            where sallyport_ledger.state in ('listed', 'intended')`);
    },
    intend: (userIds, existing) =>
      lease.query(
        intention(runId, userIds, sql`not ${linked(issuer)} and not ${taken(issuer)}`, [
          ...userIds.filter((id) => existing.has(id)),
        ]),
        sql`select ${FULL_USER}, u.user_id::text as account from intended i join ${USERS} on u.user_id = i.user_id
            order by u.email, u.user_id`,
        FullRow,
      ),
    intendAgain: (userIds) =>
      lease.query(
        intention(runId, userIds, linked(issuer), [], true),
        sql`select ${FULL_USER}, ${accountOf(issuer)} as account
            from intended i join ${USERS} on u.user_id = i.user_id`,
        FullRow,
      ),
    resolve: async (rows) => {
      const there = await (passwords ??= hasPasswords(database));
      const gone = await onceMore(() =>
        lease.query(
          resolution({ runId, issuer, who }, rows, there),
          sql`select user_id as "userId" from booked where state = 'gone'`,
          IdRow,
        ),
      );
      return gone.map(({ userId }) => userId);
    },
    settle: () =>
      lease.write(sql`
        update sallyport_ledger l set at = now(), state = case
            when l.state = 'intended' and exists (select from ${USERS} where u.user_id = l.user_id and ${LIVE} and ${linked(issuer)})
              then 'linked' else 'gone' end
        where l.run_id = ${runId} and exists (select from held) and (
          (l.state = 'created' and not exists (select from ${USERS} where u.user_id = l.user_id and ${LIVE}))
          or (l.state = 'intended' and not exists (select from ${USERS}
            where u.user_id = l.user_id and ${ELIGIBLE} and not ${linked(issuer)})))`),
    settleRelinking: () =>
      lease.write(sql`
        update sallyport_ledger l set at = now(), state = 'gone'
        where l.run_id = ${runId} and l.state in ('created', 'intended') and exists (select from held)
          and not exists (select from ${USERS} where u.user_id = l.user_id and ${LIVE})`),
    async intended() {
      const rows = await database.query(
        sql`select user_id as "userId" from sallyport_ledger where run_id = ${runId} and state = 'intended'`,
        IdRow,
      );
      return rows.map(({ userId }) => userId);
    },
    gone: () =>
      database.query(
        sql`select user_id as "userId", not coalesce((before ->> 'existed')::boolean, false) as ours from sallyport_ledger
            where run_id = ${runId} and state = 'gone' order by user_id limit ${REMOVED_AT_ONCE}::int`,
        GoneRow,
      ),
    removed: (userIds) =>
      lease.write(sql`
        update sallyport_ledger set state = 'removed', at = now(), reason = 'the user was deleted meanwhile'
        where run_id = ${runId} and user_id = any(${userIds}::uuid[]) and state = 'gone' and exists (select from held)`),
    async counts() {
      const rows = await database.query(
        sql`select state, count(*)::int as count from sallyport_ledger where run_id = ${runId} group by state`,
        CountsRow,
      );
      return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
    },
  };
}

/** An application may lock rows of users in another order: who loses a deadlock begins again. */
async function onceMore<T>(statement: () => Promise<T>): Promise<T> {
  try {
    return await statement();
  } catch (error) {
    if (!(error instanceof DatabaseError) || !error.retryable) throw error;
    return statement();
  }
}

const ResultRow = z.object({ userId: z.string(), state: z.string(), reason: z.string().nullable() });

/** What the latest run did to each of the users. */
export async function latestResults(
  database: Pick<Database, 'query'>,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, { readonly state: string; readonly reason: string | null }>> {
  const rows = await database.query(
    sql`select distinct on (user_id) user_id as "userId", state, reason from sallyport_ledger
        where user_id = any(${[...userIds]}::uuid[]) order by user_id, at desc`,
    ResultRow,
  );
  return new Map(rows.map((row) => [row.userId, row]));
}
