import * as z from 'zod';
import { audit } from '../people/audit.ts';
import { isTenant } from '../people/tenants.ts';
import { sql, type Database, type Sql } from '../ports/database.ts';
import type { Random } from '../ports/runtime.ts';
import { openLease, withLease, type Lease, type LeaseOptions } from '../runs/lease.ts';
import { openRuns, type Run, type RunKind, type Runs } from '../runs/run.ts';
import { USERS } from './people.ts';
import { PEOPLE, ProvisioningRefused } from './run.ts';

const planSchema = z.object({ tenant: z.string().nullable(), clearLinks: z.boolean() });
type Plan = z.output<typeof planSchema>;
type State = 'running' | 'done' | 'undoing' | 'undone';

export const ROLLBACK: RunKind<Plan, State> = {
  name: 'migration rollback',
  plan: planSchema,
  states: ['running', 'done', 'undoing', 'undone'],
  ended: ['done', 'undone'],
  undone: 'undone',
};

export interface RollbackDeps {
  readonly database: Database;
  /** The one that provisioning takes too. */
  readonly lease: Lease;
  readonly runs: Runs<Plan, State>;
  readonly random: Pick<Random, 'uuid'>;
  readonly who: string;
  readonly signal: AbortSignal;
  readonly sleep: (ms: number) => Promise<void>;
  readonly waitMs: number;
  readonly onRun: (id: string) => void;
  readonly onProgress: (done: number, total: number) => void;
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
  const { rows, links } = await planOf(database, request);
  return { runId: null, rolledBack: rows, linksCleared: links, kept: await keptOf(database, request) };
}

/**
 * Takes people back to their passwords, a thousand at a time; the same request goes on with a rollback that was cut off.
 * Throws ProvisioningRefused, LeaseHeld, LeaseLost, and as `Database`.
 */
export async function rollBack(request: RollbackRequest, deps: RollbackDeps): Promise<RolledBack> {
  const { database, lease, runs, random } = deps;
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

const BATCH = 1_000;
const NIL = '00000000-0000-0000-0000-000000000000';
const IdRow = z.object({ id: z.string() });

async function inBatches(
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

export interface RollbackUndone {
  readonly runId: string;
  readonly restored: number;
  /** People whose rows have changed since: they stay as they are. */
  readonly kept: number;
  readonly already: boolean;
}

async function rollbackToUndo(runId: string, { runs }: RollbackDeps): Promise<Run<Plan, State>> {
  const run = await runs.find(runId);
  if (run === undefined) throw new ProvisioningRefused(`there is no rollback ${runId}`);
  return run;
}

/** Over ledger l: the row of the user is as the rollback left it. */
const UNCHANGED = sql`exists (select from users u where u.user_id = l.user_id and u.auth_method = 'password'
  and u.migration_completed_at is null and (not (l.before ->> 'cleared')::boolean or (u.kanidm_user_id is null
    and not exists (select from users o where o.kanidm_user_id = (l.before ->> 'kanidm_user_id')::uuid))))`;

const UndoRow = z.object({ restored: z.number(), kept: z.number() });

async function undoCounts(
  runId: string,
  database: Pick<Database, 'query'>,
): Promise<z.output<typeof UndoRow>> {
  const [row] = await database.query(
    sql`select (count(*) filter (where l.state = 'undone' or (l.state = 'rolled_back' and ${UNCHANGED})))::int as restored,
          (count(*) filter (where l.state = 'kept' or (l.state = 'rolled_back' and not ${UNCHANGED})))::int as kept
        from sallyport_ledger l where l.run_id = ${runId}`,
    UndoRow,
  );
  return row ?? { restored: 0, kept: 0 };
}

/** What `undoRollback` would do now. Reads alone. */
export async function previewUndoRollback(runId: string, deps: RollbackDeps): Promise<RollbackUndone> {
  const { state } = await rollbackToUndo(runId, deps);
  return { runId, ...(await undoCounts(runId, deps.database)), already: state === 'undone' };
}

/** Brings rows and links back as they were. Throws as `rollBack`. */
export function undoRollback(runId: string, deps: RollbackDeps): Promise<RollbackUndone> {
  const { database, lease, runs } = deps;
  return withLease(lease, runId, deps, async () => {
    const { state } = await rollbackToUndo(runId, deps);
    const already = state === 'undone';
    if (already) return { runId, ...(await undoCounts(runId, database)), already };
    deps.onRun(runId);
    await runs.advance(runId, 'undoing', 0);
    const { restored, kept } = await undoCounts(runId, database);
    await inBatches(restored + kept, deps, (last) => bringBack(runId, last, lease));
    const counts = await undoCounts(runId, database);
    await runs.advance(runId, 'undone', 0, { restored: counts.restored, kept: counts.kept });
    const detail = { undone: true, ...counts };
    await audit(database, { who: deps.who, what: 'rollback', from: 'cli', run: runId, detail });
    return { runId, ...counts, already };
  });
}

function bringBack(
  runId: string,
  last: string,
  lease: Pick<Lease, 'query'>,
): Promise<{ readonly id: string }[]> {
  return lease.query(
    sql`due as materialized (
        select l.user_id, l.before, ${UNCHANGED} as unchanged from sallyport_ledger l
        where l.run_id = ${runId} and l.state = 'rolled_back' and l.user_id > ${last}::uuid and exists (select from held)
        order by l.user_id limit ${BATCH}::int),
      locked as materialized (
        select u.user_id from users u join due on due.user_id = u.user_id and due.unchanged
        order by u.user_id for no key update of u),
      changed as (
        update users u set auth_method = due.before ->> 'auth_method',
          migration_completed_at = (due.before ->> 'migration_completed_at')::timestamptz,
          kanidm_user_id = case when (due.before ->> 'cleared')::boolean then (due.before ->> 'kanidm_user_id')::uuid
            else u.kanidm_user_id end
        from due join locked on locked.user_id = due.user_id where u.user_id = due.user_id),
      relinked as (
        insert into sallyport_links (issuer, subject, user_id, via, linked_at)
        select k.issuer, k.subject, locked.user_id, k.via, k.linked_at
        from due join locked on locked.user_id = due.user_id
          cross join lateral jsonb_to_recordset(case jsonb_typeof(due.before -> 'links') when 'array' then due.before -> 'links' else '[]' end)
            as k(issuer text, subject text, via text, linked_at timestamptz)
        on conflict (issuer, subject) do nothing),
      booked as (
        update sallyport_ledger l set at = now(),
          state = case when exists (select from locked where locked.user_id = l.user_id) then 'undone' else 'kept' end,
          reason = case when due.unchanged then null else 'the row has changed since' end
        from due where l.run_id = ${runId} and l.user_id = due.user_id)`,
    sql`select user_id as id from due order by user_id`,
    IdRow,
  );
}
