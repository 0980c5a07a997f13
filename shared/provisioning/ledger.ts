import * as z from 'zod';
import type { AuditedAct } from '../people/audit.ts';
import { json, sql, type Database, type Sql } from '../ports/database.ts';
import type { Lease } from '../runs/lease.ts';
import { ELIGIBLE, FULL_USER, FullRow, linked, LIVE, taken, USERS, type FullUser } from './people.ts';

/**
 * `signed_in`: a sign-in by password made the account meanwhile. `listed`: named by a file. `intended`: the provider is being called. `gone`: the user was deleted meanwhile, and the account is
 * to be. `removed`: it is. `undoing`, `undone`, `kept`: of a rollback.
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
  | 'kept';

/** What became of one person. */
export interface Resolution {
  readonly userId: string;
  readonly state: 'created' | 'linked' | 'collision' | 'refused' | 'failed';
  /** The account; null: there is none. */
  readonly account: string | null;
  readonly reason: string | null;
  /** Groups that an account had before it was linked. */
  readonly groups?: readonly string[];
  /** Why the password did not go along; kept with the person. */
  readonly password?: string | undefined;
}

export interface LedgerOf {
  readonly runId: string;
  readonly issuer: string;
  /** The operator, for the record. */
  readonly who: string;
}

/** Every change depends on the lease. Throws LeaseLost, and as `Database`. */
export interface Ledger {
  /** Keeps who a file names. Returns how many are new. */
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

const COLUMNS = sql`"userId" uuid, state text, account text, reason text, groups jsonb, password text`;
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
        sql`select ${FULL_USER}, coalesce((select l.subject from sallyport_links l
              where l.user_id = u.user_id and l.issuer = ${issuer} order by l.linked_at limit 1),
              u.kanidm_user_id::text) as account
            from intended i join ${USERS} on u.user_id = i.user_id`,
        FullRow,
      ),
    resolve: async (rows) => {
      const gone = await lease.query(
        resolution({ runId, issuer, who }, rows),
        sql`select user_id as "userId" from booked where state = 'gone'`,
        IdRow,
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

/** `intended`: users whose rows say so from now on; of a repeated intention what was before stays. */
function intention(
  runId: string,
  userIds: readonly string[],
  may: Sql,
  existing: readonly string[],
  relinked = false,
): Sql {
  return sql`intended as (
    insert into sallyport_ledger as l (run_id, user_id, state, before)
    select ${runId}::uuid, u.user_id, 'intended', jsonb_build_object(
      'auth_method', u.auth_method, 'kanidm_user_id', u.kanidm_user_id, 'kanidm_synced_at', u.kanidm_synced_at,
      'existed', u.user_id = any(${existing}::uuid[]), 'relinked', ${relinked}::boolean)
    from ${USERS} where u.user_id = any(${userIds}::uuid[]) and ${ELIGIBLE} and ${may} and exists (select from held)
    on conflict (run_id, user_id) do update set state = 'intended', at = now(),
      before = case when l.state = 'listed' then excluded.before else l.before end
      where l.state in ('listed', 'intended')
    returning user_id)`;
}

/** kanidm_user_id mirrors accounts whose id it can hold. */
const UUID = '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$';
const PROVISIONED: AuditedAct = 'provisioned';

/**
 * One statement for link, row, ledger and record. Rows of users are locked in the order of their ids, so that a deletion that
 * commits first is seen, and two statements cannot block each other.
 */
function resolution({ runId, issuer, who }: LedgerOf, rows: readonly Resolution[]): Sql {
  return sql`
    done as materialized (
      select * from jsonb_to_recordset(${json(rows)}::jsonb) as given(${COLUMNS}) where exists (select from held)),
    alive as materialized (
      select u.user_id as "userId" from ${USERS}
      where u.user_id in (select "userId" from done where account is not null) and ${LIVE}
      order by u.user_id for no key update of u),
    linked as (
      insert into sallyport_links (issuer, subject, user_id, via)
      select ${issuer}::text, d.account, d."userId", 'provisioning' from done d join alive using ("userId")
      on conflict (issuer, subject) do nothing),
    changed as (
      update users u set kanidm_synced_at = now(),
        kanidm_user_id = case when d.account ~ ${UUID} then d.account::uuid else u.kanidm_user_id end,
        auth_method = case u.auth_method when 'password' then 'dual' else u.auth_method end
      from done d join alive using ("userId") where u.user_id = d."userId"),
    flagged as (
      insert into sallyport_people as p (user_id, flags)
      select d."userId", jsonb_build_object('password', d.password) from done d join alive using ("userId")
      where d.password is not null
      on conflict (user_id) do update set flags = p.flags || excluded.flags),
    recorded as (
      insert into sallyport_audit (who, what, subject, source, run)
      select ${who}::text, ${PROVISIONED}::text, "userId", 'cli', ${runId}::text from alive),
    booked as (
      update sallyport_ledger l set at = now(), external_id = d.account, reason = coalesce(d.reason, d.password),
        before = l.before || case when d.groups is null then '{}' else jsonb_build_object('groups', d.groups) end,
        state = case
          when d.account is null then d.state
          when not exists (select from alive a where a."userId" = d."userId") then 'gone'
          when exists (select from sallyport_links k
            where k.issuer = ${issuer} and k.subject = d.account and k.user_id = d."userId"
              and k.via = 'lazy') then 'signed_in'
          -- Made by a call of this run that was not answered.
          when d.state = 'linked' and not coalesce((l.before ->> 'existed')::boolean, false) then 'created'
          else d.state end
      from done d where l.run_id = ${runId} and l.user_id = d."userId" returning l.user_id, l.state)`;
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
