import * as z from 'zod';
import { json, sql, type Database, type Sql } from '../../../shared/ports/database.ts';
import type { Clock, Random } from '../../../shared/ports/runtime.ts';
import type { QueueTable } from '../../../shared/runs/queue-table.ts';
import {
  isRestoring,
  isUrgent,
  RESTORING_TYPES,
  type EventKey,
  type JsonObject,
  type JsonValue,
  type StorableEvent,
} from '../event.ts';

export interface InboxDeps {
  readonly database: Pick<Database, 'query'>;
  readonly clock: Clock;
  readonly random: Pick<Random, 'uuid'>;
}

export interface Receipt {
  readonly id: string;
  readonly status: 'pending' | 'applied' | 'dead';
  /** False for a duplicate: the id is that of the first arrival. */
  readonly fresh: boolean;
}

const ReceiptRow = z.object({
  id: z.string(),
  status: z.enum(['pending', 'applied', 'dead']),
  fresh: z.boolean(),
});

/** Below every provider sequence; with milliseconds added still a safe integer. */
const ARRIVALS_START = -9_000_000_000_000_000;

/** Stores an event at most once. Throws as `Database`; after a failure it may or may not be stored: a repeat is safe. */
export async function insertEvent(event: StorableEvent, deps: InboxDeps): Promise<Receipt> {
  const [stored] = await deps.database.query(insertion(event, deps), ReceiptRow);
  if (stored !== undefined) return stored;
  // The insert waited for the concurrent insert of the same event: it is committed by now, and a new statement sees it.
  const [first] = await deps.database.query(lookup(event.key, event.subject), ReceiptRow);
  if (first === undefined) throw new Error('an event was neither stored nor there');
  return first;
}

function insertion(event: StorableEvent, { clock, random }: InboxDeps): Sql {
  const { key, subject, kind } = event;
  const now = clock.now();
  const at = new Date(now);
  const [instanceId, sequence, digest] =
    'digest' in key ? ['', null, key.digest] : [key.instanceId, key.sequence, null];
  return sql`
    insert into sallyport_webhook_events (id, instance_id, subject, sequence, digest, position, type, source,
      organization, payload, occurred_at, received_at, urgent, due_at, status, last_error)
    select ${random.uuid()}::uuid, ${instanceId}, ${subject}, ${sequence}::bigint, ${digest},
      ${sequence === null ? sql`${ARRIVALS_START + now}::bigint` : position(event, key, sequence)}, ${event.type}, ${event.source}, ${event.organization},
      ${json(event.payload)}::jsonb, ${event.occurredAt}::timestamptz, ${at}::timestamptz, ${isUrgent(kind)}::boolean,
      ${dueFrom(at)}, case when credible then 'pending' else 'dead' end,
      case when credible then null else ${INCREDIBLE} end
    from (select ${sequence === null ? sql`true` : credible(event, key, sequence, at)} as credible) as judged
    on conflict do nothing
    returning id, status, true as fresh`;
}

/** Stored with an event that was set aside on arrival. */
export const INCREDIBLE =
  'its sequence is further ahead of what is known of this user than events can be in the time between: `sallyport webhooks retry` believes it';

/** How far a sequence may be ahead of the previous one: at any time, plus per second in between. */
const LEAP = { atOnce: 1_000_000, perSecond: 100 };
/** For events that give access: setting one aside wrongly denies access, accepting one wrongly grants it. */
const RESTORING_LEAP = { atOnce: 10_000, perSecond: 1 };
const MOST_DAYS = 366;
/** Earliest possible first event of an instance. */
const BEGINNING = new Date(Date.UTC(2019, 0, 1));

/**
 * Whether a sequence is plausible: once accepted, lower ones have no effect for ever. Sequences are per user, or per instance where
 * it began with an old release, and are also consumed by events not sent here. Time is measured by arrivals, as a delivery may bear
 * any date; events fetched by reconcile arrive together, and bear the provider's own.
 */
function credible(event: StorableEvent, key: EventKey, sequence: number, now: Date): Sql {
  const dated = event.source === 'reconcile' && event.occurredAt !== null && event.occurredAt < now;
  const at = dated ? event.occurredAt : now;
  const passed = (from: Sql) => sql`greatest(0, extract(epoch from ${at}::timestamptz - ${from}))`;
  const leap = isRestoring(event.kind) ? RESTORING_LEAP : LEAP;
  return sql`${sequence}::bigint <= coalesce(
    (select newest.sequence + ${leap.atOnce}::bigint + ${leap.perSecond}::int * least(
        ${passed(sql`case when newest.source = 'reconcile' then least(newest.occurred_at, newest.received_at)
          else newest.received_at end`)}, ${MOST_DAYS * 86_400}::int)
      from ${ofSameUser(event, key, sql`newest`)}
      order by newest.sequence desc limit 1),
    ${LEAP.atOnce}::bigint + ${LEAP.perSecond}::int * ${passed(sql`${BEGINNING}::timestamptz`)})`;
}

/** Concurrent transactions may number events of one user against their dates, but not further apart than either of these. */
const OVERLAP_SECONDS = 60;
const OVERLAP_EVENTS = 100;

/**
 * The sequence; except that a withdrawal is placed right after a restoring event of an earlier date and a far higher number: one of
 * the two sequences is false, and a withdrawal must not be lost by that.
 */
function position(event: StorableEvent, key: EventKey, sequence: number): Sql {
  const own = sql`${sequence}::bigint`;
  const { occurredAt } = event;
  if (!isUrgent(event.kind) || occurredAt === null) return own;
  const restoredAt = sql`least(restoring.occurred_at, restoring.received_at)`;
  return sql`greatest(${own}, (select max(least(restoring.position, ${Number.MAX_SAFE_INTEGER - 1}::bigint)) + 1 from ${ofSameUser(event, key, sql`restoring`)}
    and restoring.type = any(${RESTORING_TYPES}) and ${restoredAt} < ${occurredAt}::timestamptz
    and (restoring.sequence > ${sequence + OVERLAP_EVENTS}::bigint
      or ${restoredAt} < ${occurredAt}::timestamptz - interval '1 second' * ${OVERLAP_SECONDS}::int)))`;
}

/** To be extended by `and …`. */
function ofSameUser({ subject }: StorableEvent, key: EventKey, name: Sql): Sql {
  return sql`sallyport_webhook_events ${name} where ${name}.instance_id = ${'digest' in key ? '' : key.instanceId}
    and ${name}.subject = ${subject} and ${name}.sequence is not null and ${name}.status <> 'dead'`;
}

function lookup(key: EventKey, subject: string): Sql {
  const same =
    'digest' in key
      ? sql`digest = ${key.digest}`
      : sql`instance_id = ${key.instanceId} and subject = ${subject} and sequence = ${key.sequence}`;
  return sql`select id, status, false as fresh from sallyport_webhook_events where ${same}`;
}

const jsonValue: z.ZodType<JsonValue> = z.json();
const payload: z.ZodType<JsonObject> = z.record(z.string(), jsonValue);

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
