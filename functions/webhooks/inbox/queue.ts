import * as z from 'zod';
import { sql, type Sql } from '../../../shared/ports/database.ts';
import type { QueueTable } from '../../../shared/runs/queue.ts';
import type { JsonObject, JsonValue } from '../event.ts';

const json: z.ZodType<JsonValue> = z.json();
const payload: z.ZodType<JsonObject> = z.record(z.string(), json);

const QueuedRow = z.object({
  id: z.string(),
  subject: z.string(),
  position: z.number(),
  type: z.string(),
  organization: z.string().nullable(),
  payload,
  happenedAt: z.date(),
  attempts: z.number(),
});

/** An event to be applied. */
export type QueuedEvent = z.output<typeof QueuedRow>;

/**
 * By the provider's clock, as `iat` of its tokens, where the date is plausible: Zitadel drops a delivery five minutes old, and
 * our clocks differ by less than ten. Otherwise the time of arrival, an upper bound.
 */
const HAPPENED_AT = sql`case when occurred_at < received_at + interval '10 minutes'
    and (source <> 'event' or occurred_at > received_at - interval '10 minutes') then occurred_at else received_at end`;

/**
 * Per user the lowest due withdrawal, else the lowest event of all, which is not overtaken while it waits for its next
 * attempt.
 */
const precedes = (now: Sql): Sql => sql`
  case
    when item.urgent then other.urgent and other.due_at <= ${now} and (other.position, other.id) < (item.position, item.id)
    else (other.urgent and other.due_at <= ${now}) or (other.position, other.id) < (item.position, item.id)
  end`;

/** Claims use the database's clock: an instance whose own is ahead must not delay what it makes due. */
export function dueFrom(at: Date): Sql {
  return sql`least(${at}::timestamptz, now())`;
}

export const INBOX: QueueTable<QueuedEvent> = {
  name: sql`sallyport_webhook_events`,
  columns: sql`item.id, subject, position, type, organization, payload, ${HAPPENED_AT} as "happenedAt", attempts`,
  row: QueuedRow,
  done: 'applied',
  order: { key: sql`subject`, precedes },
};
