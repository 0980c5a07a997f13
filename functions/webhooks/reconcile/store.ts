import * as z from 'zod';
import { sql, type Database } from '../../../shared/ports/database.ts';
import type { StorableEvent } from '../event.ts';

/** Events committed up to this long after their date are still found. */
export const OVERLAP_MS = 300_000;

const Cursor = z.object({ seen_until: z.date() });
const Until = z.object({ until: z.date() });
const Position = z.object({ position: z.number() });

const Present = z.object({ now: z.date() });

/** The database's clock, shared by all instances. */
export async function presentOf(database: Database): Promise<Date> {
  const [row] = await database.query(sql`select now() as now`, Present);
  if (row === undefined) throw new Error('a row was selected and is not there');
  return row.now;
}

/**
 * Creation date of the newest compared event; undefined before the first run, and where it lies ahead: events since it was
 * set there may not have been compared.
 */
export async function readCursor(database: Database, instanceId: string): Promise<Date | undefined> {
  const [row] = await database.query(
    sql`select seen_until from sallyport_reconcile_cursors
        where instance_id = ${instanceId} and seen_until <= now()`,
    Cursor,
  );
  return row?.seen_until;
}

/** Monotonic, since runs overlap; never past the present, whatever an event's date. */
export async function advanceCursor(database: Database, instanceId: string, to: Date): Promise<void> {
  await database.execute(
    sql`
      insert into sallyport_reconcile_cursors as cursor (instance_id, seen_until)
      values (${instanceId}, least(${to}::timestamptz, now()))
      on conflict (instance_id) do update
        set seen_until = greatest(least(cursor.seen_until, now()), excluded.seen_until), updated_at = now()`,
  );
}

/** Earlier events are deleted from the inbox, applied or not; undefined while none is. */
export async function readPrunedUntil(database: Database, instanceId: string): Promise<Date | undefined> {
  const [row] = await database.query(
    sql`select until from sallyport_webhook_pruned where instance_id = ${instanceId}`,
    Until,
  );
  return row?.until;
}

/** Events that the inbox neither holds nor has pruned, by one query. */
export async function notInInbox(
  database: Database,
  instanceId: string,
  events: readonly StorableEvent[],
): Promise<readonly StorableEvent[]> {
  const rows = await database.query(
    sql`
      select listed.position
      from unnest(${events.map(({ subject }) => subject)}::text[], ${events.map(sequenceOf)}::bigint[],
          ${events.map(({ occurredAt }) => occurredAt)}::timestamptz[])
        with ordinality as listed (subject, sequence, created_at, position)
      where not exists (
        select from sallyport_webhook_events event
        where event.instance_id = ${instanceId} and event.subject = listed.subject and event.sequence = listed.sequence)
        and not exists (
          select from sallyport_webhook_pruned pruned
          where pruned.instance_id = ${instanceId} and listed.created_at < pruned.until)`,
    Position,
  );
  const missing = new Set(rows.map(({ position }) => position - 1));
  return events.filter((_event, index) => missing.has(index));
}

function sequenceOf({ key }: StorableEvent): number | null {
  return 'sequence' in key ? key.sequence : null;
}
