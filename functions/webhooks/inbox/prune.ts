import * as z from 'zod';
import { sql, type Database, type Sql } from '../../../shared/ports/database.ts';
import type { Clock } from '../../../shared/ports/runtime.ts';
import { OVERLAP_MS } from '../reconcile/store.ts';

/** Days that an applied event is kept. */
export const KEPT_DAYS = 90;

const KEPT_MS = KEPT_DAYS * 24 * 3600 * 1000;
/** Rows per statement, bounded by its time-out; statements per run, bounded by what a Worker may do. */
const ROWS = 5_000;
const STATEMENTS = 20;

export interface PruneDeps {
  readonly database: Pick<Database, 'query' | 'execute'>;
  readonly clock: Clock;
}

export interface PruneOptions {
  readonly signal: AbortSignal;
  readonly rows?: number;
  readonly statements?: number;
}

export interface Pruned {
  readonly pruned: number;
  /** False when more is left: the next run continues. */
  readonly complete: boolean;
}

/**
 * Deletes applied events past their retention: never pending ones or those set aside, nor those that the reconcile cursor
 * has not passed. Identities stay, above all tombstones. Throws as `Database`; idempotent.
 */
export async function prune({ database, clock }: PruneDeps, options: PruneOptions): Promise<Pruned> {
  const { signal, rows = ROWS, statements = STATEMENTS } = options;
  const cutoff = cutoffAt(clock);
  let pruned = 0;
  for (let left = statements; left > 0 && !signal.aborted; left -= 1) {
    const deleted = await database.execute(deletion(cutoff, rows));
    pruned += deleted;
    if (deleted < rows) return { pruned, complete: true };
  }
  return { pruned, complete: false };
}

const Count = z.object({ count: z.number() });

/** Number of events that `prune` would delete in all. */
export async function wouldPrune({ database, clock }: PruneDeps): Promise<number> {
  const [row] = await database.query(
    sql`with over as (${over(cutoffAt(clock))}) select count(*) as count from over`,
    Count,
  );
  return row?.count ?? 0;
}

function cutoffAt(clock: Clock): Date {
  return new Date(clock.now() - KEPT_MS);
}

/** The same statement records up to when an instance's events are deleted, so that none is stored again. */
function deletion(cutoff: Date, rows: number): Sql {
  return sql`
    with doomed as (${over(cutoff)} order by event.received_at limit ${rows} for update of event skip locked),
    marked as (
      insert into sallyport_webhook_pruned as kept (instance_id, until)
      select instance_id, max(until) from doomed where instance_id <> '' group by instance_id
      on conflict (instance_id) do update set until = greatest(kept.until, excluded.until)
    )
    delete from sallyport_webhook_events event using doomed where event.id = doomed.id`;
}

/** `until`: the reconcile fetches only later events. An instance never reconciled has no cursor. */
function over(cutoff: Date): Sql {
  const until = sql`least(${cutoff}::timestamptz, cursor.seen_until - interval '1 millisecond' * ${OVERLAP_MS}::int)`;
  return sql`
    select event.id, event.instance_id, ${until} as until
    from sallyport_webhook_events event left join sallyport_reconcile_cursors cursor using (instance_id)
    where event.status = 'applied' and event.received_at < ${cutoff}
      and coalesce(event.occurred_at, event.received_at) < ${until}`;
}
