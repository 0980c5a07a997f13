import * as z from 'zod';
import { completing } from '../../../shared/invitations/link.ts';
import { auditInsert, type AuditEntry } from '../../../shared/people/audit.ts';
import type { Person } from '../../../shared/people/users.ts';
import {
  DatabaseError,
  sql,
  UNDEFINED_COLUMN,
  UniqueViolation,
  type Database,
  type Sql,
} from '../../../shared/ports/database.ts';
import type { ProviderAccount } from '../../../shared/ports/sign-in.ts';
import { sessionEnding, sessionInserts, which, type NewSession } from '../../../shared/sessions/store.ts';
import { uuidOf } from '../../../shared/uuid.ts';
import type { Arrival } from './arrive.ts';

export interface Beginning {
  readonly account: ProviderAccount;
  readonly session: NewSession;
  readonly arrival: Pick<Arrival, 'passwords' | 'idTaken'>;
  readonly audited: Pick<AuditEntry, 'from' | 'run'> & { readonly by: string };
}

const BegunRow = z.object({ begun: z.number(), ended: z.array(z.string()) });

/** The sessions that ended with it, as markEnded() takes them; undefined where something changed meanwhile, and nothing was done. */
export type Begun = readonly string[] | undefined;

/**
 * Begins the session of a known user, or of one whose account is linked with it: the person has completed the move, sessions
 * begun by password and resets of passwords end. Throws as `Database`.
 */
export function beginKnown(
  database: Pick<Database, 'query'>,
  kind: 'known' | 'link',
  { userId, email }: Person,
  beginning: Beginning,
): Promise<Begun> {
  const { account, arrival } = beginning;
  const moved = sql`, auth_method = case when auth_method <> 'password' then auth_method
      when password_hash is null then 'kanidm' else 'dual' end,
    migration_completed_at = coalesce(migration_completed_at, now())`;
  const person = sql`update users set last_login_at = now() ${arrival.passwords ? moved : sql``}
      ${kind === 'link' ? mirrored(account) : sql``}
    where user_id = ${userId}::uuid and status = 'active' and deleted_at is null
      and exists (select from tenants t where t.tenant_id = users.tenant_id and t.status = 'active' and t.deleted_at is null)
    returning user_id, tenant_id`;
  // Linked meanwhile to another user, or the user to another account: a violation, so that nothing of this is done.
  const already = kind === 'known' ? sql`on conflict (issuer, subject) do nothing` : sql``;
  const link = sql`${linking(account, kind === 'link' ? 'link' : 'callback')} ${already} returning user_id`;
  return begin(database, { person, link, userId, email }, beginning);
}

/** The value of kanidm_user_id for a linked account: its subject, where that is a uuid that no user has; else null. */
function mirrorOf({ subject }: ProviderAccount): Sql {
  const uuid = uuidOf(subject);
  return sql`(select ${uuid}::uuid where not exists (select from users k where k.kanidm_user_id = ${uuid}::uuid))`;
}

function mirrored(account: ProviderAccount): Sql {
  return sql`, kanidm_synced_at = case when kanidm_user_id is null and ${mirrorOf(account)} is not null then now()
      else kanidm_synced_at end,
    kanidm_user_id = coalesce(kanidm_user_id, ${mirrorOf(account)})`;
}

export type NewUser = Pick<Person, 'userId' | 'tenantId' | 'email' | 'role'>;

/** Makes the user of a new account, and begins their session. Throws as `Database`. */
export function beginNew(
  database: Pick<Database, 'query'>,
  { userId, tenantId, email, role }: NewUser,
  beginning: Beginning,
): Promise<Begun> {
  const { account, arrival } = beginning;
  // Once passwords are dropped, the column takes no null.
  const mirror = arrival.passwords ? mirrorOf(account) : sql`coalesce(${mirrorOf(account)}, ${userId}::uuid)`;
  const columns = arrival.passwords ? sql`, auth_method, migration_completed_at` : sql``;
  const values = arrival.passwords ? sql`, 'kanidm', now()` : sql``;
  const person = sql`insert into users (user_id, tenant_id, email, email_verified, email_verified_at, full_name, role,
      last_login_at, kanidm_user_id, kanidm_synced_at ${columns})
    select ${userId}::uuid, t.tenant_id, ${email}::text, ${account.emailVerified}::boolean,
      case when ${account.emailVerified}::boolean then now() end, ${account.name}::text, ${role}::text, now(),
      ${mirror}, case when ${mirror} is not null then now() end ${values}
    from tenants t where t.tenant_id = ${tenantId}::uuid and t.status = 'active' and t.deleted_at is null
    on conflict do nothing returning user_id, tenant_id`;
  const link = sql`${linking(account, 'callback')} returning user_id`;
  return begin(database, { person, link, userId, email }, beginning);
}

function linking({ issuer, subject }: ProviderAccount, via: 'callback' | 'link'): Sql {
  return sql`insert into sallyport_links (issuer, subject, user_id, via)
    select ${issuer}::text, ${subject}::text, user_id, ${via}::text from person`;
}

interface Begins {
  /** CTEs: of the user, with user_id and tenant_id, and of the link. */
  readonly person: Sql;
  readonly link: Sql;
  readonly userId: string;
  readonly email: string;
}

/** One statement, so that all of it happens or nothing. */
async function begin(
  database: Pick<Database, 'query'>,
  { person, link, userId, email }: Begins,
  { account, session, audited }: Beginning,
): Promise<Begun> {
  const { by, ...where } = audited;
  const entry = { who: userId, subject: userId, ...where } as const;
  const { issuer, subject } = account;
  const signedIn = { ...entry, what: 'signed_in', detail: { session: session.sessionId, by } } as const;
  const linked = { ...entry, what: 'linked', detail: { issuer, account: subject } } as const;
  const theirs = sql`(select user_id from person)`;
  try {
    const [row] = await database.query(
      sql`with person as (${person}), link as (${link}) ${sessionInserts(session, sql`person`)},
          ended as (${sessionEnding(sql`${which.allOf(theirs)} and s.auth_method = 'jwt'`, 'signed in by the provider')}),
          resets as (delete from sallyport_resets where user_id = ${theirs}),
          invitation as (${completing(theirs)}),
          registrations as (delete from sallyport_registrations r using person
            where r.tenant_id = person.tenant_id and lower(r.email) = lower(${email}::text)),
          audited as (${auditInsert(signedIn, sql`person`)}),
          recorded as (${auditInsert(linked, sql`link`)})
          select (select count(*) from person)::int as begun,
            (select coalesce(array_agg(id), '{}') from ended) as ended`,
      BegunRow,
    );
    return row?.begun === 1 ? row.ended : undefined;
  } catch (error) {
    // The clean-up came in between.
    const dropped = error instanceof DatabaseError && error.code === UNDEFINED_COLUMN;
    if (error instanceof UniqueViolation || dropped) return undefined;
    throw error;
  }
}
