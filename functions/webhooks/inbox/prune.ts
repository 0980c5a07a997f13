import * as z from 'zod';
import { sql, type Database, type Sql } from '../../../shared/ports/database.ts';
import type { Clock } from '../../../shared/ports/runtime.ts';
import { OVERLAP_MS } from '../reconcile/store.ts';

/** Days that an applied event stays in the inbox. */
export const KEPT_DAYS = 90;

const KEPT_MS = KEPT_DAYS * 24 * 3600 * 1000;
/** Rows of one statement, few enough for its time-out; and statements of one run, few enough for a Worker. */
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
  /** False when more is left: the next run goes on. */
  readonly complete: boolean;
}

/**
 * Deletes events that were applied and whose time is over: never those that wait or were set aside, nor those that the
 * reconcile has not left behind. Identities stay, tombstones above all. Throws as `Database`; again is harmless.
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

/** How many events `prune` would delete in the end. */
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

/** In the same statement it is kept how far the events of an instance are gone, so that none is ever stored again. */
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

/** `until`: the reconcile asks only for events of after that. An instance that was never reconciled has no cursor. */
function over(cutoff: Date): Sql {
  const until = sql`least(${cutoff}::timestamptz, cursor.seen_until - interval '1 millisecond' * ${OVERLAP_MS}::int)`;
  return sql`
    select event.id, event.instance_id, ${until} as until
    from sallyport_webhook_events event left join sallyport_reconcile_cursors cursor using (instance_id)
    where event.status = 'applied' and event.received_at < ${cutoff}
      and coalesce(event.occurred_at, event.received_at) < ${until}`;
}
