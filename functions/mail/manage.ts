import * as z from 'zod';
import { UNREACHABLE } from '../../shared/invitations/people.ts';
import { addressHash } from '../../shared/mail/outcomes.ts';
import { empty, sql, type Database, type Sql } from '../../shared/ports/database.ts';
import { FORGOTTEN, HELD } from './queue.ts';
import { MOST_COPIES } from './send.ts';

/** An operator's selection of mails. */
export interface Filter {
  readonly status?: 'pending' | 'sent' | 'dead' | undefined;
  readonly kind?: string | undefined;
  /** An address, in any case. */
  readonly to?: string | undefined;
  readonly since?: Date | undefined;
}

/** One mail, or all that were set aside. */
export type Selection = { readonly id: string } | (Filter & { readonly status: 'dead' });

const StoredRow = z.object({
  id: z.string(),
  message_id: z.string(),
  kind: z.string(),
  recipient: z.string(),
  /** `held`: pending, and a switch stands. */
  status: z.enum(['pending', 'held', 'sent', 'dead']),
  attempts: z.number(),
  created_at: z.date(),
  due_at: z.date(),
  finished_at: z.date().nullable(),
  last_error: z.string().nullable(),
  /** What it is made of is still there. */
  retryable: z.boolean(),
});

const DetailedRow = StoredRow.extend({
  tenant: z.string().nullable(),
  user_id: z.string().nullable(),
  urgent: z.boolean(),
  held_by: z.array(z.string()),
  expires_at: z.date().nullable(),
  dated_at: z.date().nullable(),
  unanswered: z.number(),
  delivered_at: z.date().nullable(),
  soft_bounced_at: z.date().nullable(),
  bounced_at: z.date().nullable(),
  complained_at: z.date().nullable(),
  outcome_detail: z.string().nullable(),
});

export type StoredMail = z.output<typeof StoredRow>;
export type DetailedMail = z.output<typeof DetailedRow>;

const COLUMNS = sql`id, message_id, kind, recipient, case when status = 'pending' and ${HELD} then 'held' else status end as status,
  attempts, created_at, due_at, finished_at, last_error, status = 'dead' and content is not null as retryable`;

type Reader = Pick<Database, 'query'>;

/** Newest first; without contents, which hold links that let their holder in. */
export function listMails(database: Reader, filter: Filter, limit: number): Promise<StoredMail[]> {
  return database.query(
    sql`select ${COLUMNS} from sallyport_outbox where ${matching(filter)} order by created_at desc, id limit ${limit}::int`,
    StoredRow,
  );
}

export async function showMail(database: Reader, id: string): Promise<DetailedMail | undefined> {
  const [row] = await database.query(
    sql`select ${COLUMNS}, (select slug from tenants t where t.tenant_id = o.tenant_id) as tenant, user_id, urgent, held_by, expires_at,
          dated_at, unanswered, delivered_at, soft_bounced_at, bounced_at, complained_at, outcome_detail
        from sallyport_outbox o where id = ${id}::uuid`,
    DetailedRow,
  );
  return row;
}

const Id = z.object({ id: z.string() });

/** Makes mails that failed due now, the same bytes with no attempts counted. Of all that were set aside, not those that may have arrived. */
export async function retryMails(database: Reader, selection: Selection, dryRun: boolean): Promise<string[]> {
  const failed = sql`attempts > 0 and content is not null and status <> 'sent'
    and ${'id' in selection ? sql`true` : sql`unanswered < ${MOST_COPIES}::int`}`;
  const change = sql`status = 'pending', due_at = now(), attempts = 0, unanswered = 0, bounced_at = null`;
  return changed(database, selection, failed, change, dryRun);
}

/** Ends mails that are not sent: their contents go, the record of them stays. */
export async function dropMails(
  database: Reader,
  selection: Selection,
  who: string,
  dryRun: boolean,
): Promise<string[]> {
  const change = sql`status = 'dead', last_error = concat_ws('; ', last_error, ${`dropped by ${who}`}::text), ${FORGOTTEN}`;
  return changed(database, selection, sql`status <> 'sent' and content is not null`, change, dryRun);
}

const Lifted = z.object({ lifted: z.boolean() });

/** Lets mail go to an address again, and lists its people as reachable; false: nothing stopped it. */
export async function allowAddress(database: Reader, address: string, dryRun: boolean): Promise<boolean> {
  const given = sql`${address}::text`;
  const stopped = sql`sallyport_mail_suppressed where address_hash = ${addressHash(given)}`;
  const listed = sql`p.flags ? ${UNREACHABLE}::text
    and p.user_id in (select u.user_id from users u where lower(u.email) = lower(${given}))`;
  const [row] = await database.query(
    dryRun
      ? sql`select exists (select from ${stopped}) or exists (select from sallyport_people p where ${listed}) as lifted`
      : sql`with allowed as (delete from ${stopped} returning 1),
            reachable as (update sallyport_people p set flags = p.flags - ${UNREACHABLE}::text where ${listed} returning 1)
            select exists (select from allowed) or exists (select from reachable) as lifted`,
    Lifted,
  );
  return row?.lifted === true;
}

/** Leased mails are left alone. */
async function changed(
  database: Reader,
  selection: Selection,
  which: Sql,
  change: Sql,
  dryRun: boolean,
): Promise<string[]> {
  const chosen = 'id' in selection ? sql`id = ${selection.id}::uuid` : matching(selection);
  const where = sql`${chosen} and ${which} and (lease_until is null or lease_until <= now())`;
  const statement = dryRun
    ? sql`select id from sallyport_outbox where ${where}`
    : sql`update sallyport_outbox set ${change}, lease_id = null, lease_until = null where ${where} returning id`;
  return (await database.query(statement, Id)).map(({ id }) => id);
}

function matching({ status, kind, to, since }: Filter): Sql {
  return sql`true
    ${status === undefined ? empty : sql`and status = ${status}`}
    ${kind === undefined ? empty : sql`and kind = ${kind}`}
    ${to === undefined ? empty : sql`and lower(recipient) = lower(${to})`}
    ${since === undefined ? empty : sql`and created_at >= ${since}`}`;
}
