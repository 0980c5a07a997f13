import * as z from 'zod';
import { KINDS } from '../../shared/mail/kinds.ts';
import { personDeadlineOf, personDeadlinePassed } from '../../shared/invitations/deadline.ts';
import { sql, type Database, type Sql } from '../../shared/ports/database.ts';
import { isFailure, type Directory, type Person } from '../../shared/ports/directory.ts';

const timestamp = z.date().nullable();
/** A column that the clean-up drops. */
const gone = (column: string): Sql => sql`(to_jsonb(u) ->> ${column}::text)`;

const RowShape = z.object({
  user_id: z.string(),
  tenant: z.string(),
  tenant_id: z.string(),
  tenant_status: z.string(),
  tenant_deleted: z.boolean(),
  email: z.string(),
  email_verified: z.boolean(),
  full_name: z.string().nullable(),
  role: z.string(),
  status: z.string(),
  deleted_at: timestamp,
  auth_method: z.string(),
  failed_login_attempts: z.number().nullable(),
  locked_until: timestamp,
  last_login_at: timestamp,
  kanidm_user_id: z.string().nullable(),
  kanidm_synced_at: timestamp,
  migration_invited_at: timestamp,
  migration_completed_at: timestamp,
  excluded_at: timestamp,
  excluded_reason: z.string().nullable(),
  ready_at: timestamp,
  flags: z.record(z.string(), z.unknown()).nullable(),
  /** The newest one: a person is in one at a time. */
  wave: z.string().nullable(),
  /** The earliest one of wave and tenant. */
  deadline: timestamp,
  deadline_passed: z.boolean(),
  /** For the judgement alone: never printed. */
  hash: z.string().nullable(),
});
export type ShownRow = z.output<typeof RowShape>;

const WAVE_NOW = sql`(select w.name from sallyport_invitations i join sallyport_waves w on w.wave_id = i.wave_id
  where i.user_id = u.user_id order by i.created_at desc limit 1)`;

/** The row of a user with what the migration keeps of them. */
export function readRow(database: Pick<Database, 'query'>, id: string): Promise<ShownRow[]> {
  return database.query(
    sql`select u.user_id, t.slug as tenant, t.tenant_id, t.status as tenant_status, t.deleted_at is not null as tenant_deleted,
          u.email, u.email_verified, u.full_name, u.role, u.status, u.deleted_at, coalesce(${gone('auth_method')}, 'kanidm') as auth_method,
          ${gone('failed_login_attempts')}::int as failed_login_attempts, ${gone('locked_until')}::timestamptz as locked_until,
          u.last_login_at, u.kanidm_user_id, u.kanidm_synced_at,
          ${gone('migration_invited_at')}::timestamptz as migration_invited_at,
          ${gone('migration_completed_at')}::timestamptz as migration_completed_at, p.excluded_at, p.excluded_reason, p.ready_at, p.flags,
          ${personDeadlineOf(sql`u.user_id`, sql`u.tenant_id`)} as deadline, ${WAVE_NOW} as wave,
          ${personDeadlinePassed(sql`u.user_id`, sql`u.tenant_id`)} as deadline_passed, ${gone('password_hash')} as hash
        from users u join tenants t on t.tenant_id = u.tenant_id
          left join sallyport_people p on p.user_id = u.user_id
        where u.user_id = ${id}`,
    RowShape,
  );
}

const SessionRow = z.object({
  session_id: z.string(),
  auth_method: z.string(),
  created_at: z.date(),
  last_used_at: z.date(),
  expires_at: z.date(),
  address: z.string().nullable(),
  device: z.string().nullable(),
  ended: z.string().nullable(),
});
const LinkRow = z.object({ issuer: z.string(), subject: z.string(), via: z.string(), linked_at: z.date() });
const EventRow = z.object({
  at: z.date(),
  who: z.string(),
  what: z.string(),
  from: z.string(),
  run: z.string().nullable(),
  detail: z.unknown(),
});
const InvitationRow = z.object({
  invited_at: z.date(),
  mail: z.string().nullable(),
  state: z.string(),
  sent_at: timestamp,
  error: z.string().nullable(),
});
const RunRow = z.object({ run: z.string(), state: z.string(), at: z.date(), reason: z.string().nullable() });

const LAST = 20;
/** Mails of the move: invitations and what follows them. */
const BULK = Object.entries(KINDS).flatMap(([name, { bulk }]) => (bulk ? [name] : []));

/** Links, sessions, invitations, runs and events of a user, the newest first. */
export async function historyOf(database: Pick<Database, 'query'>, id: string) {
  const [links, sessions, invitations, events, runs] = await Promise.all([
    database.query(
      sql`select issuer, subject, via, linked_at from sallyport_links where user_id = ${id} order by linked_at`,
      LinkRow,
    ),
    database.query(
      sql`select session_id, auth_method, created_at, last_used_at, refresh_token_expires_at as expires_at,
            host(ip_address) as address, user_agent as device,
            case when revoked then coalesce(revoked_reason, 'ended') when refresh_token_expires_at <= now() then 'expired' end as ended
          from sessions where user_id = ${id} order by created_at desc limit ${LAST}::int`,
      SessionRow,
    ),
    // Mails of before the outbox left only their time in the row.
    database.query(
      sql`select created_at as invited_at, kind as mail, status as state, case when status = 'sent' then finished_at end as sent_at,
            last_error as error
          from sallyport_outbox where user_id = ${id} and kind = any(${BULK})
          union all
          select ${gone('migration_invited_at')}::timestamptz, null, 'invited', null, null from users u
          where user_id = ${id} and ${gone('migration_invited_at')} is not null
            and not exists (select from sallyport_outbox o where o.user_id = u.user_id and o.kind = any(${BULK}))
          order by invited_at desc limit ${LAST}::int`,
      InvitationRow,
    ),
    database.query(
      sql`select at, who, what, source as "from", run, detail from sallyport_audit
          where subject = ${id} order by at desc, id desc limit ${LAST}::int`,
      EventRow,
    ),
    database.query(
      sql`select run_id as run, state, at, reason from sallyport_ledger where user_id = ${id} order by at desc limit ${LAST}::int`,
      RunRow,
    ),
  ]);
  return { links, sessions, invitations, events, runs };
}

/** The provider's view of an account. `unknown`: it did not answer. */
export type ProviderView =
  | { readonly state: 'not configured' }
  | { readonly state: 'unknown'; readonly provider: string; readonly reason: string }
  | { readonly state: 'absent'; readonly provider: string; readonly account: string }
  | {
      readonly state: 'found';
      readonly provider: string;
      readonly account: Person;
      readonly credentials: readonly string[] | null;
    };

/** Does not throw: a provider that does not answer is `unknown`. */
export async function viewOf(directory: Directory | null, account: string): Promise<ProviderView> {
  if (directory === null) return { state: 'not configured' };
  const { provider } = directory.traits;
  const found = await directory.find([account]);
  if (isFailure(found)) return { state: 'unknown', provider, reason: found.reason };
  const [person] = found.people;
  if (person === undefined) return { state: 'absent', provider, account };
  const credentials = await directory.credentials(account);
  return {
    state: 'found',
    provider,
    account: person,
    credentials: credentials.outcome === 'known' ? credentials.kinds : null,
  };
}

export type History = Awaited<ReturnType<typeof historyOf>>;
