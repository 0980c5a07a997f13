import * as z from 'zod';
import { sql, type Database } from '../../../shared/ports/database.ts';
import type { JsonObject, JsonValue } from '../event.ts';
import type { Random } from '../../../shared/ports/runtime.ts';

/** Milliseconds one attempt may take before another instance takes the event over. */
export const LEASE_MS = 60_000;

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

/**
 * By the provider's clock, as `iat` of its tokens is, where its date can be true: a delivery is dropped by Zitadel when it is
 * five minutes old, and our clocks differ by less than ten. Otherwise it happened when it arrived, at the latest.
 */
const HAPPENED_AT = sql`case when occurred_at < received_at + interval '10 minutes'
    and (source <> 'event' or occurred_at > received_at - interval '10 minutes') then occurred_at else received_at end`;

/** An event that is to be applied. */
export type QueuedEvent = z.output<typeof QueuedRow>;

/** Whose events these are for now. */
export interface Lease {
  readonly id: string;
  readonly untilMs: number;
}

/**
 * Takes up to `limit` events that are due, at most one of each user: the lowest of those that take access away, or
 * else the lowest of all, which nothing overtakes while it waits for its next attempt.
 */
export function claim(
  database: Pick<Database, 'query'>,
  lease: Lease,
  nowMs: number,
  limit: number,
): Promise<QueuedEvent[]> {
  const now = new Date(nowMs);
  return database.query(
    sql`
    with chosen as (
      select id from sallyport_webhook_events as event
      where status = 'pending' and due_at <= ${now} and (lease_until is null or lease_until <= ${now})
        and not exists (
          select from sallyport_webhook_events as other
          where other.subject = event.subject and other.status = 'pending' and other.id <> event.id
            and (
              other.lease_until > ${now}
              or case
                when event.urgent then other.urgent and other.due_at <= ${now}
                  and (other.position, other.id) < (event.position, event.id)
                else (other.urgent and other.due_at <= ${now})
                  or (other.position, other.id) < (event.position, event.id)
              end
            )
        )
      order by due_at
      limit ${limit}
      for update skip locked
    )
    update sallyport_webhook_events as event
    set lease_id = ${lease.id}, lease_until = ${new Date(lease.untilMs)}
    from chosen where event.id = chosen.id
    returning event.id, subject, position, type, organization, payload, ${HAPPENED_AT} as "happenedAt", attempts`,
    QueuedRow,
  );
}

/** False when the lease was lost: another instance has taken the event over. */
export async function finish(
  database: Pick<Database, 'execute'>,
  id: string,
  lease: Lease,
  nowMs: number,
): Promise<boolean> {
  const changed = await database.execute(sql`
    update sallyport_webhook_events
    set status = 'applied', finished_at = ${new Date(nowMs)}, lease_id = null, lease_until = null, last_error = null
    where id = ${id} and lease_id = ${lease.id}`);
  return changed === 1;
}

export interface Failed {
  readonly reason: string;
  /** When to try again; null: never by itself. */
  readonly retryAtMs: number | null;
}

export async function fail(
  database: Pick<Database, 'execute'>,
  id: string,
  lease: Lease,
  { reason, retryAtMs }: Failed,
): Promise<void> {
  const next = retryAtMs === null ? sql`status = 'dead'` : sql`due_at = ${new Date(retryAtMs)}`;
  await database.execute(sql`
    update sallyport_webhook_events
    set ${next}, attempts = attempts + 1, last_error = ${reason}, lease_id = null, lease_until = null
    where id = ${id} and lease_id = ${lease.id}`);
}

const FIRST_MS = 1_000;
const MOST_MS = 300_000;

/** Attempts before an event is set aside for a person to look at: with waits of five minutes at most, most of a day. */
export const MOST_ATTEMPTS = 250;

/** Milliseconds to wait after the `failures`th failure: doubling, half of it by chance so that no herd comes back at once. */
export function backOffMs(failures: number, random: Pick<Random, 'hex'>): number {
  const wait = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20));
  const chance = Number.parseInt(random.hex(2), 16) / 0xffff;
  return Math.round(wait / 2 + (wait / 2) * chance);
}
