import type { AuditedAct } from '../people/audit.ts';
import { PASSWORD_CARRIED } from '../people/users.ts';
import { empty, json, sql, type Sql } from '../ports/database.ts';
import { ELIGIBLE, usersById } from './people.ts';

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

/** Columns of resolutions as records. */
export const COLUMNS = sql`"userId" uuid, state text, account text, reason text, groups jsonb, password text`;

/** Over ledger l: the account was there before the run. */
export const WAS_THERE = sql`(coalesce((l.before ->> 'existed')::boolean, false)
  or coalesce((l.before ->> 'linked')::boolean, false))`;

/** `intended`: users whose rows say so from now on; of a repeated intention what was before stays. */
export function intention(
  runId: string,
  userIds: readonly string[],
  may: Sql,
  existing: readonly string[],
  relinked = false,
): Sql {
  return sql`intended as (
    insert into sallyport_ledger as l (run_id, user_id, state, before)
    select ${runId}::uuid, u.user_id, 'intended', jsonb_build_object(
      'auth_method', to_jsonb(u) -> 'auth_method', 'kanidm_user_id', u.kanidm_user_id, 'kanidm_synced_at', u.kanidm_synced_at,
      'existed', u.user_id = any(${existing}::uuid[]), 'relinked', ${relinked}::boolean)
    from ${usersById(userIds)} where ${ELIGIBLE} and ${may} and exists (select from held)
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
export function resolution(
  { runId, issuer, who }: LedgerOf,
  rows: readonly Resolution[],
  passwords: boolean,
): Sql {
  const method = passwords
    ? sql`, auth_method = case u.auth_method when 'password' then 'dual' else u.auth_method end`
    : empty;
  const linkedIds = rows.flatMap(({ userId, account }) => (account === null ? [] : [userId]));
  return sql`
    done as materialized (
      select * from jsonb_to_recordset(${json(rows)}::jsonb) as given(${COLUMNS}) where exists (select from held)),
    alive as materialized (
      select u.user_id as "userId" from users u
      where u.user_id = any(${linkedIds}::uuid[]) and u.deleted_at is null and exists (select from held)
        and (select t.deleted_at is null from tenants t where t.tenant_id = u.tenant_id)
      order by u.user_id for no key update of u),
    linked as (
      insert into sallyport_links (issuer, subject, user_id, via)
      select ${issuer}::text, d.account, d."userId", 'provisioning' from done d join alive using ("userId")
      -- Linked meanwhile, perhaps to another account: that stands.
      on conflict do nothing returning user_id),
    changed as (
      update users u set kanidm_synced_at = now(),
        kanidm_user_id = case when d.account ~ ${UUID} and (u.user_id in (select user_id from linked) or exists (
            select from sallyport_links k where k.issuer = ${issuer} and k.subject = d.account and k.user_id = u.user_id))
          then d.account::uuid else u.kanidm_user_id end ${method}
      from done d join alive using ("userId") where u.user_id = d."userId"),
    flagged as (
      insert into sallyport_people as p (user_id, flags)
      select d."userId", jsonb_build_object('password', d.password) from done d join alive using ("userId")
      where d.password is not null
      on conflict (user_id) do update set flags = (p.flags - ${PASSWORD_CARRIED}::text) || excluded.flags),
    -- A new account has no password of the one before.
    forgotten as (
      update sallyport_people p set flags = p.flags - ${PASSWORD_CARRIED}::text
      from done d join alive using ("userId")
      where p.user_id = d."userId" and d.state = 'created' and d.password is null and p.flags ? ${PASSWORD_CARRIED}::text),
    recorded as (
      insert into sallyport_audit (who, what, subject, source, run)
      select ${who}::text, ${PROVISIONED}::text, "userId", 'cli', ${runId}::text from alive),
    booked as (
      update sallyport_ledger l set at = now(), external_id = d.account, reason = coalesce(d.reason, d.password),
        before = l.before || case when d.groups is null then '{}' else jsonb_build_object('groups', d.groups) end
          -- Listed from before its deletion.
          || case when d.state = 'created' then '{"existed": false}'::jsonb else '{}' end,
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
