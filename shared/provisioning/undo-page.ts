import * as z from 'zod';
import { PASSWORD_CARRIED } from '../people/users.ts';
import { sql, type Database } from '../ports/database.ts';
import type { Calls } from './calls.ts';
import type { PeopleDeps } from './deps.ts';
import { allOf } from './make.ts';
import type { PeopleRun } from './run.ts';

export const ClaimRow = z.object({
  userId: z.string(),
  account: z.string(),
  ours: z.boolean(),
  kept: z.boolean(),
  tenantId: z.string().nullable(),
  /** Of an account that was there before; null: not known. */
  groups: z.array(z.string()).nullable(),
});
/** A row of the ledger that is to be undone, or is kept. */
export type Claimed = z.output<typeof ClaimRow>;

/** Returns how many accounts could not be removed; their reasons stand in the ledger. */
export async function undoPage(
  run: PeopleRun,
  page: readonly Claimed[],
  calls: Calls,
  deps: PeopleDeps,
): Promise<number> {
  const due = page.filter(({ kept }) => !kept);
  const failures = new Map<string, string>();
  await allOf(
    due
      .filter(({ ours }) => ours)
      .map(async ({ userId, account }) => {
        const result = await calls.delete(account);
        if (result.outcome !== 'deleted' && result.outcome !== 'absent') failures.set(userId, result.reason);
      }),
  );
  await leaveGroups(
    due.filter(({ ours }) => !ours),
    calls,
    deps.database,
  );
  await restore(
    run,
    due.filter(({ userId }) => !failures.has(userId)),
    deps,
  );
  for (const [userId, reason] of failures)
    await deps.lease.write(sql`
      update sallyport_ledger set reason = ${reason} where run_id = ${run.id} and user_id = ${userId}::uuid
        and exists (select from held)`);
  return failures.size;
}

const GroupRow = z.object({ tenantId: z.string(), id: z.string(), name: z.string() });

/** Takes accounts that were there before out of the groups that they were not in. */
async function leaveGroups(
  linked: readonly Claimed[],
  calls: Pick<Calls, 'removeMembers'>,
  database: Pick<Database, 'query'>,
): Promise<void> {
  const tenants = [...new Set(linked.flatMap(({ tenantId }) => tenantId ?? []))];
  if (tenants.length === 0) return;
  const groups = await database.query(
    sql`select tenant_id as "tenantId", kanidm_group_uuid as id, kanidm_group_name as name
        from kanidm_tenant_groups where tenant_id = any(${tenants}::uuid[])`,
    GroupRow,
  );
  // One after another, as they were joined.
  for (const { tenantId, id, name } of groups) {
    const members = linked.filter(
      (each) => each.tenantId === tenantId && each.groups?.includes(id) === false,
    );
    const accounts = members.map(({ account }) => account);
    if (accounts.length > 0) await calls.removeMembers({ id, name }, accounts);
  }
}

/** Brings rows back as before the run, where they are unchanged since, and removes the links. */
async function restore({ id: runId, plan }: PeopleRun, rows: readonly Claimed[], { lease, who }: PeopleDeps) {
  if (rows.length === 0) return;
  const changes = sql`
    due as materialized (
      select l.user_id, l.before, coalesce(l.external_id, l.user_id::text) as account from sallyport_ledger l
      where l.run_id = ${runId} and l.state = 'undoing' and l.user_id = any(${rows.map(({ userId }) => userId)}::uuid[])
        and exists (select from held)),
    unlinked as (
      delete from sallyport_links k using due
      where k.issuer = ${plan.issuer} and k.subject = due.account and k.user_id = due.user_id
        and not coalesce((due.before ->> 'relinked')::boolean, false)),
    locked as materialized (
      select u.user_id from users u join due on due.user_id = u.user_id order by u.user_id for no key update of u),
    restored as (
      update users u set kanidm_user_id = (due.before ->> 'kanidm_user_id')::uuid,
        kanidm_synced_at = (due.before ->> 'kanidm_synced_at')::timestamptz,
        auth_method = case u.auth_method when 'dual' then due.before ->> 'auth_method' else u.auth_method end
      from due join locked on locked.user_id = due.user_id
      where u.user_id = due.user_id and u.kanidm_user_id::text = due.account),
    forgotten as (
      update sallyport_people p set flags = p.flags - ${PASSWORD_CARRIED}::text - 'password' from due where p.user_id = due.user_id),
    recorded as (
      insert into sallyport_audit (who, what, subject, source, run)
      select ${who}::text, 'rollback', user_id, 'cli', ${runId}::text from due),
    booked as (
      update sallyport_ledger l set state = 'undone', at = now() from due
      where l.run_id = ${runId} and l.user_id = due.user_id)`;
  await lease.query(changes, sql`select from due where false`, z.unknown());
}
