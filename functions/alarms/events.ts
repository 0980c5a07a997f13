import { createHmac } from 'node:crypto';
import * as z from 'zod';
import type { AlertsConfig } from '../../shared/configuration/alerts.ts';
import { messageOf } from '../../shared/errors.ts';
import { ALARM_TITLES, ALARMS } from '../../shared/figures/alarms.ts';
import type { Outbox } from '../../shared/mail/outbox.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { Log } from '../../shared/ports/log.ts';
import type { Clock, Exchange, Random } from '../../shared/ports/runtime.ts';
import { openQueue } from '../../shared/runs/queue.ts';
import type { QueueTable } from '../../shared/runs/queue-table.ts';
import type { Found } from './conditions.ts';

const EventRow = z.object({
  id: z.string(),
  name: z.enum(ALARMS),
  state: z.enum(['raised', 'cleared']),
  at: z.date(),
  /** When it was raised. */
  since: z.date(),
  value: z.number().nullable(),
  detail: z.string(),
});

/** An alarm was raised or cleared. */
export type AlarmEvent = z.output<typeof EventRow>;

const COLUMNS = sql`e.id, e.name, e.state, e.at, e.since, e.value, e.detail`;

/**
 * Records what alarms are found to be, and returns those that turned: of several instances at a time, to one alone, since the second
 * waits for the row and then finds it turned. Throws as `Database`.
 */
export function turnAlarms(
  { database, random }: { readonly database: Pick<Database, 'query'>; readonly random: Pick<Random, 'uuid'> },
  found: readonly Found[],
  webhook: boolean,
): Promise<AlarmEvent[]> {
  const column = <T>(pick: (each: Found) => T): T[] => found.map(pick);
  return database.query(
    sql`with found as (
          select * from unnest(
            ${found.map(() => random.uuid())}::uuid[], ${column(({ name }) => name)}::text[], ${column(({ raised }) => raised)}::boolean[],
            ${column(({ value }) => value)}::float8[], ${column(({ detail }) => detail)}::text[]
          ) as f (id, name, raised, value, detail)
        ), turned as (
          insert into sallyport_alarms as a (name, raised, since, value, detail, checked_at)
          select name, raised, now(), value, detail, now() from found
          where raised or name in (select name from sallyport_alarms) order by name
          on conflict (name) do update set raised = excluded.raised, value = excluded.value, detail = excluded.detail,
            checked_at = excluded.checked_at, since = case when excluded.raised then excluded.since else a.since end,
            cleared_at = case when excluded.raised then null else excluded.since end
          where a.raised <> excluded.raised
          returning a.name, a.raised, a.since, a.value, a.detail
        ), events as (
          insert into sallyport_alarm_events (id, name, state, at, since, value, detail, status)
          select f.id, t.name, case when t.raised then 'raised' else 'cleared' end, now(), t.since, t.value, t.detail,
            ${webhook ? 'pending' : 'silent'}::text
          from turned t join found f using (name)
          returning *
        )
        select ${COLUMNS} from events e order by e.name`,
    EventRow,
  );
}

/** Renews value and detail of standing alarms, without an event. Throws as `Database`. */
export async function renewStanding(
  database: Pick<Database, 'execute'>,
  found: readonly Found[],
): Promise<void> {
  const standing = found.filter(({ raised }) => raised);
  await database.execute(sql`
    update sallyport_alarms a set value = f.value, detail = f.detail, checked_at = now()
    from unnest(
      ${standing.map(({ name }) => name)}::text[], ${standing.map(({ value }) => value)}::float8[],
      ${standing.map(({ detail }) => detail)}::text[]
    ) as f (name, value, detail)
    where a.name = f.name and a.raised`);
}

export function logEvents(log: Log, events: readonly AlarmEvent[]): void {
  for (const { name, state, value, detail } of events) {
    const fields = { alarm: name, value: value ?? undefined, detail };
    if (state === 'raised') log.error('alarm raised', fields);
    else log.info('alarm cleared', fields);
  }
}

/**
 * Puts mails about the events of the last day into the outbox, each once by its Message-ID, so that a run which was cut off before is
 * made up for. Returns their number. Throws as `Database`.
 */
export async function mailEvents(
  database: Pick<Database, 'query' | 'execute'>,
  outbox: Outbox,
  { to, dashboard }: { readonly to: string; readonly dashboard: string | null },
): Promise<number> {
  const events = await database.query(
    sql`select ${COLUMNS} from sallyport_alarm_events e where e.at > now() - interval '1 day' order by e.at, e.name`,
    EventRow,
  );
  if (events.length === 0) return 0;
  const mails = events.map(({ id, name, state, at, since, detail }) => ({
    kind: state === 'raised' ? ('alarm' as const) : ('alarm-cleared' as const),
    key: `alarm-${id}`,
    to,
    tenant: null,
    values: {
      alarm: ALARM_TITLES[name],
      detail,
      since: minute(since),
      at: minute(at),
      ...(dashboard !== null && { dashboard_link: dashboard }),
    },
  }));
  const put = await database.execute(await outbox.enqueue(...mails));
  if (put > 0) outbox.nudge();
  return put;
}

function minute(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

const QueuedRow = EventRow.extend({ attempts: z.number() });

/** Of one alarm in their order: a clearance does not overtake what it clears. */
const EVENTS: QueueTable<z.output<typeof QueuedRow>> = {
  name: sql`sallyport_alarm_events`,
  columns: sql`item.id, item.attempts, item.name, item.state, item.at, item.since, item.value, item.detail`,
  row: QueuedRow,
  done: 'told',
  order: { key: sql`name`, precedes: () => sql`other.at < item.at` },
};

const TIMEOUT_MS = 10_000;
const LEASE_MS = 60_000;
const MOST_PER_RUN = 50;
/** Tried with each run while it fails: a day of five minutes each. */
const MOST_ATTEMPTS = 288;
const WAITS = { firstMs: 15_000, mostMs: 240_000 };

export interface PostDeps {
  readonly database: Pick<Database, 'query' | 'execute'>;
  readonly random: Pick<Random, 'uuid' | 'hex'>;
  readonly clock: Clock;
  readonly exchange: Exchange;
  readonly log: Log;
}

/** Posts what waits for the webhook: at least once each, under the same id. Throws as `Database`. */
export async function postEvents(
  { database, random, clock, exchange, log }: PostDeps,
  { url, key }: NonNullable<AlertsConfig['webhook']>,
  signal: AbortSignal,
): Promise<{ readonly posted: number; readonly failed: number }> {
  const queue = openQueue({
    table: EVENTS,
    database,
    random,
    leaseMs: LEASE_MS,
    mostAttempts: MOST_ATTEMPTS,
    waits: WAITS,
  });
  const { done, failed, dead } = await queue.workOff(MOST_PER_RUN, {
    parallel: 1,
    goesOn: () => !signal.aborted,
    async work({ id, name, state, at, since, value, detail }) {
      const body = JSON.stringify({
        id,
        alarm: name,
        title: ALARM_TITLES[name],
        state,
        at,
        since,
        value,
        detail,
      });
      const headers = {
        'content-type': 'application/json',
        'sallyport-signature': signatureOf(body, key, Math.floor(clock.now() / 1_000)),
      };
      const { status } = await exchange({ method: 'POST', url, headers, body, timeoutMs: TIMEOUT_MS });
      if (status < 200 || status > 299) throw new Error(`the webhook answers ${status}`);
    },
    isFinal: () => false,
    failed({ item, error, attempt, dead: last }) {
      const reason = messageOf(error).slice(0, 300);
      log.warn('alarm not posted', { alarm: item.name, attempt, reason, given_up: last });
      return reason;
    },
    ended: () => undefined,
  });
  return { posted: done, failed: failed + dead };
}

/** `t=…,v1=…`: HMAC-SHA256 over the time in seconds, a point and the body, as hex. */
export function signatureOf(body: string, key: string, seconds: number): string {
  return `t=${seconds},v1=${createHmac('sha256', key).update(`${seconds}.${body}`).digest('hex')}`;
}
