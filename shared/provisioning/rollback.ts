import * as z from 'zod';
import { audit } from '../people/audit.ts';
import { isTenant } from '../people/tenants.ts';
import { sql, type Database, type Sql } from '../ports/database.ts';
import { openLease, withLease, type Lease, type LeaseOptions } from '../runs/lease.ts';
import { openRuns, type RunKind, type Runs } from '../runs/run.ts';
import type { PeopleDeps } from './deps.ts';
import { NIL, USERS } from './people.ts';
import { assertWayBack, PEOPLE, ProvisioningRefused } from './run.ts';

const planSchema = z.object({ tenant: z.string().nullable(), clearLinks: z.boolean() });
export type RollbackPlan = z.output<typeof planSchema>;
export type RollbackState = 'running' | 'done' | 'undoing' | 'undone';

export const ROLLBACK: RunKind<RollbackPlan, RollbackState> = {
  name: 'migration rollback',
  plan: planSchema,
  states: ['running', 'done', 'undoing', 'undone'],
  ended: ['done', 'undone'],
  undone: 'undone',
};

/** `lease`: the one that provisioning takes too. */
export interface RollbackDeps extends Pick<
  PeopleDeps,
  'database' | 'lease' | 'random' | 'who' | 'signal' | 'sleep' | 'waitMs' | 'onRun' | 'onProgress'
> {
  readonly runs: Runs<RollbackPlan, RollbackState>;
}

export function openRollbackBooks(
  database: Database,
  options: Omit<LeaseOptions, 'name'> = {},
): Pick<RollbackDeps, 'database' | 'lease' | 'runs'> {
  const lease = openLease(database, { name: PEOPLE.name, ...options });
  return { database, lease, runs: openRuns(database, lease, ROLLBACK) };
}

export interface RollbackRequest {
  /** A slug or an id; null: every tenant. */
  readonly tenant: string | null;
  readonly clearLinks: boolean;
}

export interface RolledBack {
  readonly runId: string | null;
  readonly rolledBack: number;
  readonly linksCleared: number;
  /** People who have no password to go back to. */
  readonly kept: readonly Kept[];
}

const KeptRow = z.object({ id: z.string(), email: z.string(), slug: z.string(), reason: z.string() });
export type Kept = z.output<typeof KeptRow>;

const HAS_HASH = sql`coalesce(u.password_hash, '') <> ''`;
const HAS_LINK = sql`(u.kanidm_user_id is not null or exists (select from sallyport_links l where l.user_id = u.user_id))`;

/** Over USERS: goes back to the password. */
function due({ tenant, clearLinks }: RollbackRequest): Sql {
  const links = sql`(${clearLinks}::boolean and u.auth_method = 'password' and ${HAS_LINK})`;
  return sql`(${isTenant(tenant)} and ${HAS_HASH} and (u.auth_method = 'dual' or ${links}))`;
}

/** Over USERS: would be locked out. */
function stuck({ tenant }: RollbackRequest): Sql {
  return sql`(${isTenant(tenant)} and (u.auth_method = 'kanidm' or (u.auth_method = 'dual' and not (${HAS_HASH}))))`;
}

function keptOf(database: Pick<Database, 'query'>, request: RollbackRequest): Promise<Kept[]> {
  return database.query(
    sql`select u.user_id as id, u.email, t.slug,
          case u.auth_method when 'kanidm' then 'signs in by the provider alone' else 'has no password' end as reason
        from ${USERS} where ${stuck(request)} and u.deleted_at is null order by t.slug, u.email`,
    KeptRow,
  );
}

const PlanRow = z.object({ rows: z.number(), links: z.number() });

async function planOf(
  database: Pick<Database, 'query'>,
  request: RollbackRequest,
): Promise<z.output<typeof PlanRow>> {
  const [row] = await database.query(
    sql`select count(*)::int as rows, (count(*) filter (where ${request.clearLinks}::boolean and ${HAS_LINK}))::int as links
        from ${USERS} where ${due(request)}`,
    PlanRow,
  );
  return row ?? { rows: 0, links: 0 };
}

/** What `rollBack` would do now. Reads alone. */
export async function previewRollback(
  request: RollbackRequest,
  { database }: Pick<RollbackDeps, 'database'>,
): Promise<RolledBack> {
  await assertWayBack(database);
  const { rows, links } = await planOf(database, request);
  return { runId: null, rolledBack: rows, linksCleared: links, kept: await keptOf(database, request) };
}

/**
 * Takes people back to their passwords, a thousand at a time; the same request goes on with a rollback that was cut off.
 * Throws ProvisioningRefused, LeaseHeld, LeaseLost, and as `Database`.
 */
export async function rollBack(request: RollbackRequest, deps: RollbackDeps): Promise<RolledBack> {
  const { database, lease, runs, random } = deps;
  await assertWayBack(database);
  const id = random.uuid();
  return withLease(lease, id, deps, async () => {
    const runId = (await unfinishedOf(request, runs)) ?? id;
    if (runId === id) await runs.create({ id, fingerprint: id, plan: { ...request }, state: 'running' });
    deps.onRun(runId);
    const kept = await keptOf(database, request);
    const { rows } = await planOf(database, request);
    await inBatches(rows, deps, (last) => takeBack(runId, request, last, lease));
    const counts = await countsOf(runId, database);
    const detail = { rolled_back: counts.rows, links_cleared: counts.links, kept: kept.length };
    await runs.advance(runId, 'done', 0, detail);
    const tenant = request.tenant ?? 'all';
    await audit(database, {
      who: deps.who,
      what: 'rollback',
      from: 'cli',
      run: runId,
      detail: { ...detail, tenant },
    });
    return { runId, rolledBack: counts.rows, linksCleared: counts.links, kept };
  });
}

async function unfinishedOf(
  { tenant, clearLinks }: RollbackRequest,
  runs: RollbackDeps['runs'],
): Promise<string | undefined> {
  const run = await runs.unfinished();
  if (run === undefined) return undefined;
  const same = run.plan.tenant === tenant && run.plan.clearLinks === clearLinks;
  if (same && run.state === 'running') return run.id;
  throw new ProvisioningRefused(
    `rollback ${run.id} was cut off (${run.state}): \`sallyport migration rollback --undo ${run.id}\` undoes it` +
      (run.state === 'running' ? ', or the same rollback again goes on with it' : ''),
  );
}

export const BATCH = 1_000;
export const IdRow = z.object({ id: z.string() });

/** `batch` changes the next rows after an id, and returns them. */
export async function inBatches(
  total: number,
  { signal, onProgress }: RollbackDeps,
  batch: (last: string) => Promise<readonly { readonly id: string }[]>,
): Promise<void> {
  onProgress(0, total);
  for (let last = NIL, done = 0, more = true; more;) {
    signal.throwIfAborted();
    const rows = await batch(last);
    done += rows.length;
    onProgress(done, Math.max(total, done));
    last = rows.at(-1)?.id ?? last;
    more = rows.length === BATCH;
  }
}

/** One batch: what was before is kept in the statement that changes it. */
function takeBack(
  runId: string,
  request: RollbackRequest,
  last: string,
  lease: Pick<Lease, 'query'>,
): Promise<{ readonly id: string }[]> {
  const clear = sql`${request.clearLinks}::boolean`;
  return lease.query(
    sql`due as materialized (
        select u.user_id, u.auth_method, u.migration_completed_at, u.kanidm_user_id from ${USERS}
        where u.user_id > ${last}::uuid and ${due(request)} and exists (select from held)
        order by u.user_id limit ${BATCH}::int for no key update of u),
      booked as (
        insert into sallyport_ledger as book (run_id, user_id, state, external_id, before)
        select ${runId}::uuid, due.user_id, 'rolled_back', due.kanidm_user_id::text, jsonb_build_object(
          'auth_method', due.auth_method, 'migration_completed_at', due.migration_completed_at,
          'kanidm_user_id', due.kanidm_user_id, 'links', case when ${clear} then (
            select jsonb_agg(jsonb_build_object('issuer', l.issuer, 'subject', l.subject, 'via', l.via, 'linked_at', l.linked_at))
            from sallyport_links l where l.user_id = due.user_id) end,
          'cleared', ${clear} and (due.kanidm_user_id is not null
            or exists (select from sallyport_links l where l.user_id = due.user_id)))
        from due on conflict (run_id, user_id) do nothing),
      unlinked as (delete from sallyport_links l using due where ${clear} and l.user_id = due.user_id),
      changed as (
        update users u set auth_method = 'password', migration_completed_at = null,
          kanidm_user_id = case when ${clear} then null else u.kanidm_user_id end
        from due where u.user_id = due.user_id)`,
    sql`select user_id as id from due order by user_id`,
    IdRow,
  );
}

async function countsOf(runId: string, database: Pick<Database, 'query'>): Promise<z.output<typeof PlanRow>> {
  const [row] = await database.query(
    sql`select count(*)::int as rows, (count(*) filter (where (before ->> 'cleared')::boolean))::int as links
        from sallyport_ledger where run_id = ${runId} and state in ('rolled_back', 'undone', 'kept')`,
    PlanRow,
  );
  return row ?? { rows: 0, links: 0 };
}
