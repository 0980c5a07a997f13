import * as z from 'zod';
import { sql, type Database, type Sql } from '../ports/database.ts';

/** What a mail provider reports of a mail that it took. */
export interface MailEvent {
  /** With its angle brackets or without; null: the newest mail to `email` is meant. */
  readonly messageId: string | null;
  readonly email: string | null;
  readonly event: 'bounced' | 'complained' | 'delivered';
  /** The reporter's words. A bounce is soft when they begin with 4 (RFC 3463 §3.1), else hard. */
  readonly detail: string;
  readonly at: Date;
}

const RecordedRow = z.object({
  mail: z.string().nullable(),
  userId: z.string().nullable(),
  stopped: z.boolean(),
});

/** What became of an event. */
export interface RecordedEvent {
  /** The row of the outbox; null for a mail that is none of ours, or no longer on record. */
  readonly mail: string | null;
  readonly userId: string | null;
  /** The address gets no mail from now on. */
  readonly stopped: boolean;
}

const MOST_DETAIL = 500;
/** Of the reporter's clock. */
const SKEW = sql`interval '5 minutes'`;

/** The key of an address in sallyport_mail_suppressed; `address`: an expression. */
export function addressHash(address: Sql): Sql {
  return sql`sha256(convert_to(lower(${address}), 'UTF8'))`;
}

/** Whether an address gets no mail; `address`: an expression. */
export function isSuppressed(address: Sql): Sql {
  return sql`exists (select from sallyport_mail_suppressed where address_hash = ${addressHash(address)})`;
}

/**
 * Records events at their mails, and stops mail to an address at a hard bounce or a complaint: in one statement, in the order given.
 * The first time of each outcome stays, so that an event reported twice changes nothing. Throws as `Database`.
 */
export function recordMailEvents(
  database: Pick<Database, 'query'>,
  events: readonly MailEvent[],
): Promise<RecordedEvent[]> {
  const column = <T>(pick: (event: MailEvent) => T): T[] => events.map(pick);
  const given = sql`select message_id, email, outcome, detail, least(at, now()) as at, n from unnest(
    ${column(({ messageId }) => inBrackets(messageId))}::text[], ${column(({ email }) => email?.trim() ?? null)}::text[],
    ${column(outcomeOf)}::text[], ${column(({ detail }) => plain(detail))}::text[],
    ${column(({ at }) => at.toISOString())}::timestamptz[]
  ) with ordinality as g (message_id, email, outcome, detail, at, n)`;
  const meant = sql`select g.*, o.id, o.user_id, coalesce(o.recipient, g.email) as address
    from given g left join lateral (
      select id, user_id, recipient from sallyport_outbox
      where message_id = g.message_id
        or (g.message_id is null and lower(recipient) = lower(g.email) and dated_at <= g.at + ${SKEW})
      order by dated_at desc nulls last limit 1
    ) o on true`;
  const first = (outcome: string): Sql => sql`min(at) filter (where outcome = ${outcome})`;
  return database.query(
    sql`with given as (${given}), meant as (${meant}),
      marked as (
        update sallyport_outbox o set
          delivered_at = coalesce(o.delivered_at, m.delivered), soft_bounced_at = coalesce(o.soft_bounced_at, m.soft),
          bounced_at = coalesce(o.bounced_at, m.hard), complained_at = coalesce(o.complained_at, m.complained),
          outcome_detail = coalesce(m.detail, o.outcome_detail)
        from (
          select id, ${first('delivered')} as delivered, ${first('soft')} as soft, ${first('hard')} as hard,
            ${first('complained')} as complained,
            (array_agg(detail order by at desc, n desc) filter (where outcome <> 'delivered'))[1] as detail
          from meant where id is not null group by id
        ) m where o.id = m.id
      ),
      stopped as (
        insert into sallyport_mail_suppressed (address_hash, reason)
        select distinct on (1) ${addressHash(sql`address`)}, case outcome when 'hard' then 'hard bounce' else 'complaint' end
        from meant where address is not null and outcome in ('hard', 'complained') order by 1, n
        on conflict do nothing
      )
      select id as mail, user_id as "userId", address is not null and outcome in ('hard', 'complained') as stopped
      from meant order by n`,
    RecordedRow,
  );
}

function outcomeOf({ event, detail }: MailEvent): 'delivered' | 'complained' | 'soft' | 'hard' {
  if (event !== 'bounced') return event;
  return detail.trimStart().startsWith('4') ? 'soft' : 'hard';
}

function inBrackets(messageId: string | null): string | null {
  const inside = messageId?.trim().replace(/^<|>$/g, '') ?? '';
  return inside === '' ? null : `<${inside}>`;
}

/** Postgres takes no NUL. */
function plain(detail: string): string {
  return detail
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, MOST_DETAIL);
}
