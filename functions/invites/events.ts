import * as z from 'zod';
import type { OwnRoute, RouteContext } from '../../shared/edge/frame.ts';
import { parsedJson } from '../../shared/edge/json-body.ts';
import { requireSecret } from '../../shared/edge/secrets.ts';
import { Refusal } from '../../shared/errors.ts';
import { UNREACHABLE, unreachableMark } from '../../shared/invitations/people.ts';
import { recordMailEvents, type MailEvent, type RecordedEvent } from '../../shared/mail/outcomes.ts';
import { auditInsert } from '../../shared/people/audit.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { InvitesDeps } from './deps.ts';

/** The Postgres text type has no NUL. */
const text = (most: number) =>
  z
    .string()
    .max(most)
    .refine((value) => !value.includes('\0'));

const Event = z
  .object({
    message_id: text(1_000).nullish(),
    email: text(320).nullish(),
    event: z.enum(['bounced', 'complained', 'delivered']),
    detail: text(100_000).nullish(),
    at: z.iso.datetime({ offset: true }).nullish(),
  })
  .refine(({ message_id, email }) => (message_id ?? '').trim() !== '' || (email ?? '').trim() !== '');

const MOST_EVENTS = 5_000;
const MOST_BYTES = 1_048_576;
const BATCH = 200;

/** Bounces, complaints and deliveries that a mail service reports. Those of unknown mails are counted, and nothing else. */
export function eventsRoute(deps: InvitesDeps): OwnRoute {
  const { database, platform, config } = deps;
  const count = platform.metrics.counter(
    'sallyport_mail_events_total',
    'Reports of what became of mails.',
    'event',
  );
  return {
    path: '/invites/events',
    methods: ['POST'],
    quota: 'refusals',
    maxBodyBytes: MOST_BYTES,
    async answer(request, context) {
      requireSecret(request, config.mailEventsSecret, 'MAIL_EVENTS_SECRET');
      const events = await eventsIn(context, deps.clock.now());
      const done = { recorded: 0, unknown: 0, stopped: 0 };
      for (let at = 0; at < events.length; at += BATCH) {
        const batch = events.slice(at, at + BATCH);
        const recorded = await recordMailEvents(database, batch);
        await follow(batch, recorded, context, database);
        const unknown = recorded.filter(({ mail }) => mail === null).length;
        done.unknown += unknown;
        done.recorded += recorded.length - unknown;
        done.stopped += recorded.filter(({ stopped }) => stopped).length;
        batch.forEach(({ event }, each) => {
          count(recorded[each]?.mail == null ? 'unknown' : event);
        });
      }
      return Response.json(done, { headers: { 'cache-control': 'no-store' } });
    },
  };
}

/** Throws Refusal `invalid_request`, which names places and never values. */
async function eventsIn({ body }: Pick<RouteContext, 'body'>, nowMs: number): Promise<MailEvent[]> {
  const { data, error, success } = z
    .array(Event)
    .max(MOST_EVENTS)
    .safeParse(parsedJson(await body()));
  if (success)
    return data.map(({ message_id, email, event, detail, at }) => ({
      messageId: (message_id ?? '').trim() === '' ? null : (message_id ?? null),
      email: (email ?? '').trim() === '' ? null : (email ?? null),
      event,
      detail: detail ?? '',
      at: new Date(at ?? nowMs),
    }));
  const places = [...new Set(error.issues.map(({ path }) => path.join('.') || 'the list'))].slice(0, 10);
  throw malformed(
    `Write a list of {message_id or email, event: bounced, complained or delivered, detail, at}, of at most ${MOST_EVENTS}. Not so: ${places.join(', ')}.`,
  );
}

function malformed(detail: string): Refusal {
  return new Refusal('invalid_request', detail, { detail });
}

/** Invitations show when they were delivered; people whose address gets no mail any more are listed as unreachable. */
async function follow(
  events: readonly MailEvent[],
  recorded: readonly RecordedEvent[],
  { address: from, id: run }: Pick<RouteContext, 'address' | 'id'>,
  database: Pick<Database, 'execute'>,
): Promise<void> {
  const mails = recorded.flatMap(({ mail }) => (mail === null ? [] : [mail]));
  if (mails.length > 0)
    await database.execute(sql`
      update sallyport_invitations i set delivered_at = first.at
      from (
        select s.invitation_id, min(o.delivered_at) as at
        from sallyport_outbox o join sallyport_invitation_steps s on s.message_id = o.message_id
        where o.id = any(${mails}::uuid[]) and o.delivered_at is not null group by s.invitation_id
      ) as first
      where i.invitation_id = first.invitation_id and i.delivered_at is null`);
  const stopped = recorded.flatMap((each, at) =>
    each.stopped ? [{ ...each, email: events[at]?.email ?? null }] : [],
  );
  if (stopped.length === 0) return;
  const addresses = sql`
    select lower(o.recipient) from sallyport_outbox o where o.id = any(${stopped.map(({ mail }) => mail)}::uuid[])
    union select lower(trim(e)) from unnest(${stopped.map(({ mail, email }) => (mail === null ? email : null))}::text[]) as e where e is not null`;
  const entry = { who: 'mail service', what: 'unreachable', from, run } as const;
  await database.execute(sql`
    with flagged as (
      insert into sallyport_people as kept (user_id, flags)
      select u.user_id, jsonb_build_object(${UNREACHABLE}::text, ${unreachableMark(sql`u.email`)}) from users u
      where lower(u.email) = any(array(${addresses})) and u.deleted_at is null order by u.user_id
      on conflict (user_id) do update set flags = kept.flags || excluded.flags where kept.flags -> ${UNREACHABLE}::text is distinct from excluded.flags -> ${UNREACHABLE}::text
      returning user_id
    ) ${auditInsert(entry, sql`flagged`, sql`flagged.user_id`)}`);
}
