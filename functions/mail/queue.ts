import * as z from 'zod';
import { isSuppressed } from '../../shared/mail/outcomes.ts';
import { sql } from '../../shared/ports/database.ts';
import type { QueueTable } from '../../shared/runs/queue-table.ts';

const QueuedRow = z.object({
  id: z.string(),
  attempts: z.number(),
  kind: z.string(),
  recipient: z.string(),
  messageId: z.string(),
  content: z.string().nullable(),
  /** Its digest. */
  template: z.string(),
  date: z.date(),
  unanswered: z.number(),
  /** Why it must not be sent; null: it may. */
  withheld: z.string().nullable(),
});

/** A mail that is due. */
export type QueuedMail = z.output<typeof QueuedRow>;

/** Read when the mail is leased, seconds before it is sent: what happened since it was enqueued counts. */
const WITHHELD = sql`
  case
    when item.expires_at <= now() then 'its link has expired'
    when item.tenant_id is not null and not exists (
      select from tenants where tenant_id = item.tenant_id and deleted_at is null and status = 'active'
    ) then 'the tenant is deleted or suspended'
    when item.user_id is not null and not exists (
      select from users where user_id = item.user_id and deleted_at is null
    ) then 'the user is deleted'
    when ${isSuppressed(sql`item.recipient`)} then 'the address is suppressed'
  end`;

/** While a switch that it names stands: one row of switches, read once for all mails. */
export const HELD = sql`held_by && (select coalesce(array_agg(name), '{}') from sallyport_switches)`;

/** Of a mail that is never sent, or not again. */
export const FORGOTTEN = sql`content = null`;

export const OUTBOX: QueueTable<QueuedMail> = {
  name: sql`sallyport_outbox`,
  columns: sql`item.id, item.attempts, item.kind, item.recipient, item.message_id as "messageId", item.content, item.template,
    item.dated_at as date, item.unanswered, ${WITHHELD} as withheld`,
  row: QueuedRow,
  done: 'sent',
  rank: sql`item.urgent`,
  onLease: sql`dated_at = coalesce(dated_at, now())`,
  held: HELD,
  // Links in it are of no more use to us.
  onDone: FORGOTTEN,
  // The end of the message is about to be sent.
  onCommit: sql`unanswered = unanswered + 1`,
};

/** An answer came after all: that attempt made no copy. */
export const ANSWERED = sql`unanswered = greatest(unanswered - 1, 0)`;

/** By the mail server itself: as if it had bounced. */
export const REFUSED = sql`bounced_at = coalesce(bounced_at, now())`;
