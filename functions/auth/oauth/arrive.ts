import { createHash } from 'node:crypto';
import * as z from 'zod';
import { linkedUser } from '../../../shared/people/links.ts';
import { PEOPLE, PERSON, PersonRow } from '../../../shared/people/users.ts';
import { sql, type Database, type Sql } from '../../../shared/ports/database.ts';
import type { ProviderAccount } from '../../../shared/ports/sign-in.ts';
import { uuidOf } from '../../../shared/uuid.ts';
import type { Pending } from './pending.ts';

/** A tenant that groups of an account stand for. */
const Membership = z.object({
  tenantId: z.string(),
  slug: z.string(),
  active: z.boolean(),
  /** The highest of its groups. */
  role: z.enum(['admin', 'member', 'viewer']),
});

const ArrivalRow = z.object({
  /** How many of the keys had not been spent. */
  fresh: z.number(),
  /** The user that the account is linked to. */
  person: PersonRow.nullable(),
  memberships: z.array(Membership),
  /** A user has the address. */
  mailTaken: z.boolean(),
  /** The subject, as a uuid, is the id of a user. */
  idTaken: z.boolean(),
  /** Of the session to link from, while it lives and began by password. */
  linking: PersonRow.nullable(),
  /** That user has another account at this provider. */
  linkedOtherwise: z.boolean(),
  /** The columns of passwords are still there. */
  passwords: z.boolean(),
});

export type Membership = z.output<typeof Membership>;
export type Arrival = Omit<z.output<typeof ArrivalRow>, 'fresh'>;

export interface Arriving {
  readonly account: ProviderAccount;
  readonly link: Pending['link'];
  readonly kanidmIssuer: string | null;
}

/** Longer than a state or a code lives. */
const SPENT_SECONDS = 3_600;

/**
 * Spends state and code, and reads all that decides about the account, in one statement. Undefined where one of the two was
 * spent before. Throws as `Database`.
 */
export async function arrive(
  database: Pick<Database, 'query'>,
  arriving: Arriving,
  once: { readonly state: string; readonly code: string },
): Promise<Arrival | undefined> {
  const keys = [spentKey('state', once.state), spentKey(`code ${arriving.account.issuer}`, once.code)];
  const spending = sql`with spent as (
    insert into sallyport_spent (key, expires_at)
    select key, now() + interval '1 second' * ${SPENT_SECONDS}::int from unnest(${keys}::text[]) as key
    on conflict (key) do nothing returning key)`;
  const { fresh, ...arrival } = await read(
    database,
    arriving,
    spending,
    sql`(select count(*) from spent)::int`,
  );
  return fresh === keys.length ? arrival : undefined;
}

/** The same without spending anything, for what has changed meanwhile. */
export async function arriveAgain(database: Pick<Database, 'query'>, arriving: Arriving): Promise<Arrival> {
  return read(database, arriving, sql``, sql`0`);
}

async function read(
  database: Pick<Database, 'query'>,
  { account, link, kanidmIssuer }: Arriving,
  spending: Sql,
  fresh: Sql,
): Promise<z.output<typeof ArrivalRow>> {
  const { issuer, email, groups } = account;
  const subject = uuidOf(account.subject);
  const [row] = await database.query(
    sql`${spending} select ${fresh} as fresh,
      (${personWhere(sql`u.user_id = ${linkedUser(account, kanidmIssuer)}`)}) as person,
      ${membershipsOf(groups)} as memberships,
      exists (select from users m where lower(m.email) = lower(${email}::text) and m.deleted_at is null) as "mailTaken",
      exists (select from users i where i.user_id = ${subject}::uuid) as "idTaken",
      (${personWhere(sql`u.user_id = (select s.user_id from sessions s where s.session_id = ${link?.sessionId ?? null}::uuid
        and s.user_id = ${link?.userId ?? null}::uuid and not s.revoked and s.auth_method = 'jwt'
        and s.refresh_token_expires_at > now())`)}) as linking,
      ${linkedOtherwise(account, link?.userId ?? null, kanidmIssuer)} as "linkedOtherwise",
      exists (select from pg_attribute where attrelid = 'users'::regclass and attname = 'auth_method'
        and not attisdropped) as passwords`,
    ArrivalRow,
  );
  if (row === undefined) throw new Error(`a look-up without from has one row: ${issuer}`);
  return row;
}

function personWhere(condition: Sql): Sql {
  return sql`select to_jsonb(found) from (select ${PERSON} from ${PEOPLE} where ${condition}) found`;
}

function membershipsOf(groups: readonly string[]): Sql {
  return sql`(select coalesce(jsonb_agg(jsonb_build_object('tenantId', t.tenant_id, 'slug', t.slug,
      'active', t.status = 'active' and t.deleted_at is null,
      'role', case when g.admin then 'admin' when g.member then 'member' else 'viewer' end)), '[]')
    from (select k.tenant_id, bool_or(k.role = 'admin') as admin, bool_or(k.role = 'member') as member
        from kanidm_tenant_groups k where k.kanidm_group_uuid = any(${groups}::uuid[]) group by k.tenant_id) g
      join tenants t on t.tenant_id = g.tenant_id)`;
}

/** One account per person and provider. A row of the adopted database without a link counts as one at Kanidm. */
function linkedOtherwise(account: ProviderAccount, userId: string | null, kanidmIssuer: string | null): Sql {
  const { issuer, subject } = account;
  const other = sql`exists (select from sallyport_links l where l.user_id = ${userId}::uuid and l.issuer = ${issuer}::text
    and l.subject <> ${subject}::text)`;
  if (issuer !== kanidmIssuer) return other;
  return sql`(${other} or exists (select from users k where k.user_id = ${userId}::uuid and k.kanidm_user_id is not null
    and k.kanidm_user_id is distinct from ${uuidOf(subject)}::uuid
    and not exists (select from sallyport_links l where l.user_id = k.user_id)))`;
}

/** A key of sallyport_spent; hashed, since states and codes are secrets while they are valid. */
export function spentKey(kind: string, text: string): string {
  return `${kind} ${createHash('sha256').update(text).digest('base64url')}`;
}
