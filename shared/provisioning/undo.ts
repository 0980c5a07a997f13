import * as z from 'zod';
import { audit } from '../people/audit.ts';
import { sql, type Database, type Sql } from '../ports/database.ts';
import type { Lease } from '../runs/lease.ts';
import { callsOf, underLease, type PeopleDeps } from './deps.ts';
import { WAS_THERE } from './ledger-changes.ts';
import { NIL } from './people.ts';
import { assertWayBack, ProvisioningRefused, type PeopleRun } from './run.ts';
import { ClaimRow, undoPage, type Claimed } from './undo-page.ts';

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

/** Over ledger l: the person has signed in by the provider since. */
const SIGNED_IN = sql`(exists (select from users u where u.user_id = l.user_id and u.migration_completed_at is not null)
  or exists (select from sessions s where s.user_id = l.user_id and s.auth_method in ('kanidm', 'dual') and s.created_at >= l.at))`;
const MADE_AGAIN = sql`exists (select from sallyport_ledger a
  where a.user_id = l.user_id and a.run_id <> l.run_id and a.at > l.at and a.state in ('created', 'intended'))`;

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

async function runToUndo(runId: string, { runs, directory, database }: PeopleDeps): Promise<PeopleRun> {
  await assertWayBack(database);
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

/** Over ledger l: made by the run, as far as is known; of an intention that was cut off, unless it was there before. */
const OURS = sql`(l.state = 'created' or (l.state in ('intended', 'gone', 'undoing') and not ${WAS_THERE}))`;

function keeps(): Sql {
  return sql`(l.state <> 'undoing' and (${SIGNED_IN} or ${MADE_AGAIN}))`;
}

const KeptRow = z.object({
  user: z.string(),
  tenant: z.string().nullable(),
  email: z.string().nullable(),
  reason: z.string(),
});
export type Kept = z.output<typeof KeptRow>;

const AGAIN = 'a later run made the account again';
const SINCE = 'has signed in at the provider since';

/** Who a rollback of the run keeps, or would keep now, and why. */
export function keptOf(runId: string, database: Pick<Database, 'query'>): Promise<Kept[]> {
  return database.query(
    sql`select l.user_id as user, t.slug as tenant, u.email,
          case when l.state = 'kept' then l.reason when ${MADE_AGAIN} then ${AGAIN}::text else ${SINCE}::text end as reason
        from sallyport_ledger l left join users u on u.user_id = l.user_id left join tenants t on t.tenant_id = u.tenant_id
        where l.run_id = ${runId} and (l.state = 'kept' or (l.state in ${UNDOABLE} and ${keeps()}))
        order by t.slug, u.email, l.user_id`,
    KeptRow,
  );
}

const PAGE = 200;

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
            reason = case when not due.kept then l.reason when due.again then ${AGAIN}::text else ${SINCE}::text end,
            before = l.before || jsonb_build_object('linked', l.state = 'linked' or coalesce((l.before ->> 'linked')::boolean, false))
          from due where l.run_id = ${runId} and l.user_id = due.user_id
          returning l.user_id, coalesce(l.external_id, l.user_id::text) as account, l.before, due.kept, due.ours)`,
    sql`select c.user_id as "userId", c.account, c.ours, c.kept, u.tenant_id as "tenantId", c.before -> 'groups' as groups
        from claimed c left join users u on u.user_id = c.user_id order by c.user_id`,
    ClaimRow,
  );
}

const CountsRow = z.object({ removed: z.number(), unlinked: z.number(), kept: z.number() });

async function countsOf(
  runId: string,
  database: Pick<Database, 'query'>,
): Promise<z.output<typeof CountsRow> & { readonly runId: string }> {
  const [row] = await database.query(
    sql`select count(*) filter (where l.state = 'undone' and not ${WAS_THERE})::int as removed,
          count(*) filter (where l.state = 'undone' and ${WAS_THERE})::int as unlinked,
          count(*) filter (where l.state = 'kept')::int as kept
        from sallyport_ledger l where l.run_id = ${runId}`,
    CountsRow,
  );
  return { runId, ...(row ?? { removed: 0, unlinked: 0, kept: 0 }) };
}
