import * as z from 'zod';
import type { AuditedAct } from '../people/audit.ts';
import { MIGRATION_SWITCH } from '../people/tenants.ts';
import { sql, type Database } from '../ports/database.ts';
import type { Directory } from '../ports/directory.ts';
import { groupsThatStand } from './groups.ts';
import {
  ELIGIBLE,
  FULL_USER,
  FullRow,
  hashFault,
  linked,
  LIVE,
  rolesOf,
  taken,
  toNewPerson,
  USERS,
  type FullUser,
} from './people.ts';

export interface OneDeps {
  readonly database: Database;
  readonly directory: Directory;
}

export interface OneOptions {
  /** Whether a usable hash goes along. */
  readonly password: boolean;
  /** For the audit. */
  readonly from: 'sign-in' | 'invitation';
}

/** `left`: not to be provisioned this way. `failed`: not now; the next sign-in tries again. */
export type OneResult =
  { readonly outcome: 'linked' | 'left' } | { readonly outcome: 'failed'; readonly reason: string };

/**
 * Makes the account of one user whose password was verified here, or who accepted an invitation, beside any run: both request the same
 * id, so that there is one account. Users who could be taken for another are left to the command, which lists them. Throws as `Database`, ProviderStopped and
 * ProvisioningRefused.
 */
export async function provisionOne(
  userId: string,
  { database, directory }: OneDeps,
  { password, from }: OneOptions = { password: true, from: 'sign-in' },
): Promise<OneResult> {
  const { issuer, passwords } = directory.traits;
  const [user] = await database.query(
    sql`select ${FULL_USER}, u.user_id::text as account from ${USERS}
        where u.user_id = ${userId}::uuid and ${ELIGIBLE} and not ${linked(issuer)} and not ${taken(issuer)}
          and u.email ~ '^[ -~]+$' and not exists (select from sallyport_switches where name = ${MIGRATION_SWITCH})
          and not exists (select from users o where lower(o.email) = lower(u.email) and o.user_id <> u.user_id
            and o.deleted_at is null and (o.tenant_id = u.tenant_id or ${directory.traits.unique}::boolean))`,
    FullRow,
  );
  if (user === undefined) return { outcome: 'left' };
  const groups = (await groupsThatStand(new Set([user.tenantId]), { database, directory, sleep: null })).get(
    user.tenantId,
  );
  const usable = password && passwords === 'hash' && hashFault(user.passwordHash) === undefined;
  const hash = usable ? user.passwordHash : null;
  const [made] = await directory.create([toNewPerson(user, hash)]);
  const there = made !== undefined && ['created', 'revived', 'exists'].includes(made.outcome);
  if (!there) return { outcome: 'failed', reason: made === undefined ? 'no result' : reasonOf(made) };
  for (const role of rolesOf(user)) {
    const group = groups?.[role];
    if (group === undefined) return { outcome: 'failed', reason: `no group of role ${role}` };
    const joined = await directory.addMembers(group, [user.account]);
    if (joined.outcome !== 'done') return { outcome: 'failed', reason: reasonOf(joined) };
  }
  if (await link(user, { issuer, from }, database)) return { outcome: 'linked' };
  // Deleted meanwhile: what this sign-in made goes with the user.
  if (made.outcome === 'created') await directory.delete(user.account);
  return { outcome: 'left' };
}

function reasonOf(result: { readonly outcome: string; readonly reason?: string }): string {
  return result.reason ?? result.outcome;
}

const PROVISIONED: AuditedAct = 'provisioned';
const DoneRow = z.object({ done: z.boolean() });

async function link(
  user: FullUser,
  { issuer, from }: { readonly issuer: string } & Pick<OneOptions, 'from'>,
  database: Pick<Database, 'query'>,
): Promise<boolean> {
  const [row] = await database.query(
    sql`with alive as materialized (
          select u.user_id from ${USERS} where u.user_id = ${user.id}::uuid and ${LIVE} for no key update of u),
        linked as (
          insert into sallyport_links (issuer, subject, user_id, via)
          select ${issuer}::text, ${user.account}::text, user_id, 'lazy' from alive on conflict do nothing
          returning user_id),
        changed as (
          update users u set kanidm_synced_at = now(),
            -- Where the person has linked another account meanwhile, it stays that one.
            kanidm_user_id = case when exists (select from linked) or exists (
                select from sallyport_links k where k.issuer = ${issuer}::text and k.subject = ${user.account}::text and k.user_id = u.user_id)
              then ${user.account}::uuid else u.kanidm_user_id end,
            auth_method = case u.auth_method when 'password' then 'dual' else u.auth_method end
          from alive where u.user_id = alive.user_id),
        recorded as (
          insert into sallyport_audit (who, what, subject, source)
          select user_id::text, ${PROVISIONED}::text, user_id, ${from}::text from linked)
        select exists (select from alive) as done`,
    DoneRow,
  );
  return row?.done === true;
}
