import * as z from 'zod';
import { audit } from '../people/audit.ts';
import { sql, type Database } from '../ports/database.ts';
import { withLease, type Lease } from '../runs/lease.ts';
import type { Run } from '../runs/run.ts';
import {
  BATCH,
  IdRow,
  inBatches,
  type RollbackDeps,
  type RollbackPlan,
  type RollbackState,
} from './rollback.ts';
import { ProvisioningRefused } from './run.ts';

export interface RollbackUndone {
  readonly runId: string;
  readonly restored: number;
  /** People whose rows have changed since: they stay as they are. */
  readonly kept: number;
  readonly already: boolean;
}

async function rollbackToUndo(
  runId: string,
  { runs }: RollbackDeps,
): Promise<Run<RollbackPlan, RollbackState>> {
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
        on conflict do nothing),
      booked as (
        update sallyport_ledger l set at = now(),
          state = case when exists (select from locked where locked.user_id = l.user_id) then 'undone' else 'kept' end,
          reason = case when due.unchanged then null else 'the row has changed since' end
        from due where l.run_id = ${runId} and l.user_id = due.user_id)`,
    sql`select user_id as id from due order by user_id`,
    IdRow,
  );
}
