import * as z from 'zod';
import { audit } from '../people/audit.ts';
import { sql, type Database, type Sql } from '../ports/database.ts';
import type { Lease } from '../runs/lease.ts';
import { allOf } from './make.ts';
import type { Calls } from './calls.ts';
import { callsOf, underLease, type PeopleDeps } from './provision.ts';
import { ProvisioningRefused, type PeopleRun } from './run.ts';

export interface Undone {
  readonly runId: string;
  /** Accounts that the run made, now deleted. */
  readonly removed: number;
  /** Accounts that were there before the run: they stay, without a link. */
  readonly unlinked: number;
  /** People who have signed in at the provider since, or whose account a later run made again. */
  readonly kept: number;
  readonly failed: number;
  readonly already: boolean;
}

/** What the run did to the rest of the rows needs no undoing. */
const UNDOABLE = sql`('created', 'linked', 'intended', 'gone', 'undoing')`;

/** Over ledger l: the person has come by the provider since. */
const SIGNED_IN = sql`(exists (select from users u where u.user_id = l.user_id and u.migration_completed_at is not null)
  or exists (select from sessions s where s.user_id = l.user_id and s.auth_method in ('kanidm', 'dual') and s.created_at >= l.at))`;
const MADE_AGAIN = sql`exists (select from sallyport_ledger a join sallyport_ledger mine on mine.user_id = a.user_id
  where mine.run_id = l.run_id and a.user_id = l.user_id and a.run_id <> l.run_id and a.at > mine.at
    and a.state in ('created', 'intended'))`;

/**
 * Removes what a run made: accounts, links, and the marks in rows of users. Whoever has signed in there since is kept. Again, after it
 * was cut off, it goes on. Throws ProvisioningRefused, ProviderStopped, LeaseHeld, LeaseLost, and as `Database`.
 */
export function undoRun(runId: string, deps: PeopleDeps): Promise<Undone> {
  return underLease(runId, deps, async () => {
    const run = await runToUndo(runId, deps);
    if (run.state === 'undone')
      return { ...(await countsOf(runId, deps.database)), failed: 0, already: true };
    deps.onRun(runId);
    const { database, lease, runs } = deps;
    const calls = callsOf(deps);
    await runs.advance(runId, 'undoing', 0);
    const total = (await planOf(runId, database)).rows;
    let done = 0;
    let failed = 0;
    for (let last = NIL, more = true; more;) {
      deps.signal.throwIfAborted();
      const page = await claim(runId, last, lease);
      failed += await undoPage(run, page, calls, deps);
      done += page.length;
      deps.onProgress(done, total);
      last = page.at(-1)?.userId ?? last;
      more = page.length === PAGE;
    }
    const counts = { ...(await countsOf(runId, database)), failed };
    if (failed === 0) await runs.advance(runId, 'undone', 0);
    const { removed, unlinked, kept } = counts;
    const detail = { removed, unlinked, kept, failed };
    await audit(database, { who: deps.who, what: 'rollback', from: 'cli', run: runId, detail });
    return { ...counts, already: false };
  });
}

/** What `undoRun` would do now. Reads alone. */
export async function previewUndo(runId: string, deps: PeopleDeps): Promise<Undone> {
  const run = await runToUndo(runId, deps);
  if (run.state === 'undone') return { ...(await countsOf(runId, deps.database)), failed: 0, already: true };
  const { removed, unlinked, kept } = await planOf(runId, deps.database);
  const before = await countsOf(runId, deps.database);
  return {
    runId,
    removed: before.removed + removed,
    unlinked: before.unlinked + unlinked,
    kept: before.kept + kept,
    failed: 0,
    already: false,
  };
}

async function runToUndo(runId: string, { runs, directory }: PeopleDeps): Promise<PeopleRun> {
  const run = await runs.find(runId);
  if (run === undefined) throw new ProvisioningRefused(`there is no run ${runId}`);
  const { provider, issuer } = directory.traits;
  if (run.plan.issuer !== issuer)
    throw new ProvisioningRefused(`run ${runId} is at ${run.plan.issuer}, and ${provider} is at ${issuer}`);
  return run;
}

const PlanRow = z.object({
  rows: z.number(),
  removed: z.number(),
  unlinked: z.number(),
  kept: z.number(),
});

async function planOf(runId: string, database: Pick<Database, 'query'>): Promise<z.output<typeof PlanRow>> {
  const [row] = await database.query(
    sql`select count(*)::int as rows, count(*) filter (where not kept and ours)::int as removed,
          count(*) filter (where not kept and not ours)::int as unlinked, count(*) filter (where kept)::int as kept
        from (select ${keeps()} as kept, ${OURS} as ours from sallyport_ledger l
          where l.run_id = ${runId} and l.state in ${UNDOABLE}) as each`,
    PlanRow,
  );
  return row ?? { rows: 0, removed: 0, unlinked: 0, kept: 0 };
}

/** Over ledger l: made by the run, as far as is known; of an intention that was cut off, what was there before tells. */
const OURS = sql`(l.state = 'created' or (l.state in ('intended', 'gone', 'undoing')
  and not coalesce((l.before ->> 'existed')::boolean, false) and not coalesce((l.before ->> 'linked')::boolean, false)))`;

function keeps(): Sql {
  return sql`(l.state <> 'undoing' and (${SIGNED_IN} or ${MADE_AGAIN}))`;
}

const PAGE = 200;
const NIL = '00000000-0000-0000-0000-000000000000';

const ClaimRow = z.object({
  userId: z.string(),
  account: z.string(),
  ours: z.boolean(),
  kept: z.boolean(),
  role: z.string().nullable(),
  tenantId: z.string().nullable(),
  /** Of an account that was there before; null: not known. */
  groups: z.array(z.string()).nullable(),
});
type Claimed = z.output<typeof ClaimRow>;

/** The next rows, after it is written that they are to be undone; who is kept is written so at once. */
function claim(runId: string, last: string, lease: Pick<Lease, 'query'>): Promise<Claimed[]> {
  return lease.query(
    sql`due as materialized (
          select l.user_id, ${keeps()} as kept, ${OURS} as ours, ${MADE_AGAIN} as again from sallyport_ledger l
          where l.run_id = ${runId} and l.state in ${UNDOABLE} and l.user_id > ${last}::uuid and exists (select from held)
          order by l.user_id limit ${PAGE}::int),
        claimed as (
          update sallyport_ledger l set at = case when due.kept then now() else l.at end,
            state = case when due.kept then 'kept' else 'undoing' end,
            reason = case when not due.kept then l.reason when due.again then 'a later run made the account again'
              else 'has signed in at the provider since' end,
            before = l.before || jsonb_build_object('linked', l.state = 'linked' or coalesce((l.before ->> 'linked')::boolean, false))
          from due where l.run_id = ${runId} and l.user_id = due.user_id
          returning l.user_id, coalesce(l.external_id, l.user_id::text) as account, l.before, due.kept, due.ours)`,
    sql`select c.user_id as "userId", c.account, c.ours, c.kept, u.role, u.tenant_id as "tenantId", c.before -> 'groups' as groups
        from claimed c left join users u on u.user_id = c.user_id order by c.user_id`,
    ClaimRow,
  );
}

/** Returns how many accounts could not be removed; their reasons stand in the ledger. */
async function undoPage(
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
  await allOf(
    groups.map(async ({ tenantId, id, name }) => {
      const members = linked.filter(
        (each) => each.tenantId === tenantId && each.groups?.includes(id) === false,
      );
      if (members.length > 0)
        await calls.removeMembers(
          { id, name },
          members.map(({ account }) => account),
        );
    }),
  );
}

/** Rows as before the run, where nobody changed them since; links gone. */
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
    recorded as (
      insert into sallyport_audit (who, what, subject, source, run)
      select ${who}::text, 'rollback', user_id, 'cli', ${runId}::text from due),
    booked as (
      update sallyport_ledger l set state = 'undone', at = now() from due
      where l.run_id = ${runId} and l.user_id = due.user_id)`;
  await lease.query(changes, sql`select from due where false`, z.unknown());
}

const CountsRow = z.object({ removed: z.number(), unlinked: z.number(), kept: z.number() });

async function countsOf(
  runId: string,
  database: Pick<Database, 'query'>,
): Promise<z.output<typeof CountsRow> & { readonly runId: string }> {
  const [row] = await database.query(
    sql`select count(*) filter (where l.state = 'undone' and not coalesce((l.before ->> 'existed')::boolean, false)
            and not coalesce((l.before ->> 'linked')::boolean, false))::int as removed,
          count(*) filter (where l.state = 'undone' and (coalesce((l.before ->> 'existed')::boolean, false)
            or coalesce((l.before ->> 'linked')::boolean, false)))::int as unlinked,
          count(*) filter (where l.state = 'kept')::int as kept
        from sallyport_ledger l where l.run_id = ${runId}`,
    CountsRow,
  );
  return { runId, ...(row ?? { removed: 0, unlinked: 0, kept: 0 }) };
}
