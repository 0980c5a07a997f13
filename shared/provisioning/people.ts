import * as z from 'zod';
import { isTenant } from '../people/tenants.ts';
import { empty, sql, type Database, type Sql } from '../ports/database.ts';
import type { NewPerson, TenantRole } from '../ports/directory.ts';

/** A user who is to get an account, or has one. */
export interface User {
  readonly id: string;
  readonly tenantId: string;
  readonly slug: string;
  readonly email: string;
}

const UserShape = { id: z.string(), tenantId: z.string(), slug: z.string(), email: z.string() };
export const UserRow = z.object(UserShape);
const USER = sql`u.user_id as id, u.tenant_id as "tenantId", t.slug, u.email`;

export const FullRow = z.object({
  ...UserShape,
  emailVerified: z.boolean(),
  fullName: z.string().nullable(),
  role: z.string(),
  passwordHash: z.string().nullable(),
  /** The id of the account: that of the user, except where another was linked before. */
  account: z.string(),
});
/** A user with everything that an account is made of. The hash is for the provider alone: never shown, never kept. Null once the clean-up has dropped it. */
export type FullUser = z.output<typeof FullRow>;
export const FULL_USER = sql`${USER}, u.email_verified as "emailVerified", u.full_name as "fullName", u.role,
  to_jsonb(u) ->> 'password_hash' as "passwordHash"`;

export const USERS = sql`users u join tenants t on t.tenant_id = u.tenant_id`;
/** The same, read by their ids whatever the planner thinks of a table that it has no statistics of. */
export function usersById(ids: readonly string[]): Sql {
  return sql`(select * from users where user_id = any(${ids}::uuid[]) offset 0) u
    join tenants t on t.tenant_id = u.tenant_id`;
}
/** Over USERS: neither the user nor the tenant is deleted. */
export const LIVE = sql`(u.deleted_at is null and t.deleted_at is null)`;
/** Over USERS: an account is due. */
export const ELIGIBLE = sql`(${LIVE} and u.status = 'active' and t.status = 'active'
  and not exists (select from sallyport_people p where p.user_id = u.user_id and p.excluded_at is not null))`;

/** Over USERS: has an account. A row of the adopted database has kanidm_user_id and no link. */
export function linked(issuer: string): Sql {
  return sql`(u.kanidm_user_id is not null
    or exists (select from sallyport_links l where l.user_id = u.user_id and l.issuer = ${issuer}))`;
}

/** Over USERS: the id of the account, which is that of the user except where another was linked before. */
export function accountOf(issuer: string): Sql {
  return sql`coalesce((select l.subject from sallyport_links l where l.user_id = u.user_id and l.issuer = ${issuer}
    order by l.linked_at limit 1), u.kanidm_user_id::text, u.user_id::text)`;
}

/** Over USERS: another user has the account that would have this user's id. */
export function taken(issuer: string): Sql {
  return sql`(exists (select from users k where k.kanidm_user_id = u.user_id and k.user_id <> u.user_id)
    or exists (select from sallyport_links l
      where l.issuer = ${issuer} and l.subject = u.user_id::text and l.user_id <> u.user_id))`;
}

/** Which users a run is about. */
export interface Scope {
  readonly issuer: string;
  readonly tenant: string | null;
  /** The run whose ledger lists them; null: all. */
  readonly listedIn: string | null;
}

function within({ tenant, listedIn }: Scope): Sql {
  const listed =
    listedIn === null
      ? empty
      : sql`and exists (select from sallyport_ledger f where f.run_id = ${listedIn} and f.user_id = u.user_id)`;
  return sql`(${isTenant(tenant)} ${listed})`;
}

const TenantRow = z.object({ id: z.string(), slug: z.string(), name: z.string() });
export type TenantOfUsers = z.output<typeof TenantRow>;

/** Tenants that an account can be made in, by slug. */
export function tenantsOf(
  database: Pick<Database, 'query'>,
  tenant: string | null,
): Promise<TenantOfUsers[]> {
  return database.query(
    sql`select t.tenant_id as id, t.slug, t.name from tenants t
        where t.status = 'active' and t.deleted_at is null and ${isTenant(tenant)} order by t.slug, t.tenant_id`,
    TenantRow,
  );
}

/** Less than any id of a user: where reading by id begins. */
export const NIL = '00000000-0000-0000-0000-000000000000';

const PAGE = 1_000;

/**
 * Users without an account who are to get one, by tenant and address: so that a limit takes the same ones each time.
 * `run`: those that its ledger has no result for.
 */
export async function* candidates(
  database: Pick<Database, 'query'>,
  scope: Scope,
  run: string | null,
): AsyncGenerator<User> {
  const open =
    run === null
      ? empty
      : sql`and not exists (select from sallyport_ledger d where d.run_id = ${run} and d.user_id = u.user_id
          and d.state not in ('listed', 'intended'))`;
  for (const { id } of await tenantsOf(database, scope.tenant)) {
    for (let last: string | undefined, more = true; more;) {
      const after = last === undefined ? empty : sql`and u.email > ${last}`;
      const page: User[] = await database.query(
        sql`select ${USER} from ${USERS} where u.tenant_id = ${id} ${after}
            and ${ELIGIBLE} and not ${linked(scope.issuer)} and ${within(scope)} ${open}
            order by u.email limit ${PAGE}::int`,
        UserRow,
      );
      yield* page;
      last = page.at(-1)?.email;
      more = page.length === PAGE;
    }
  }
}

const MemberRow = z.object({ ...UserShape, linked: z.boolean(), taken: z.boolean() });
/** A user who has an account or is to get one. */
export type Member = z.output<typeof MemberRow>;

const SCAN = 5_000;

/** All who have an account or are to get one: of a tenant where accounts of tenants cannot collide, else of all. */
export async function* members(
  database: Pick<Database, 'query'>,
  issuer: string,
  tenant: string | null,
): AsyncGenerator<Member> {
  for (let last = NIL, more = true; more;) {
    const page: Member[] = await database.query(
      sql`select ${USER}, ${linked(issuer)} as linked, ${taken(issuer)} as taken from ${USERS}
          where u.user_id > ${last}::uuid and u.deleted_at is null and ${isTenant(tenant)}
            and (${ELIGIBLE} or ${linked(issuer)})
          order by u.user_id limit ${SCAN}::int`,
      MemberRow,
    );
    yield* page;
    last = page.at(-1)?.id ?? last;
    more = page.length === SCAN;
  }
}

const CountRow = z.object({ count: z.number() });

/** Users of the scope that no account is made for: they have one, are excluded or inactive, or a file names them in vain. */
export async function countSkipped(
  database: Pick<Database, 'query'>,
  scope: Scope,
  run: string | null,
): Promise<number> {
  const due = sql`${ELIGIBLE} and not ${linked(scope.issuer)} and ${isTenant(scope.tenant)}`;
  const [row] = await database.query(
    scope.listedIn === null
      ? sql`select count(*)::int as count from ${USERS}
            where ${LIVE} and ${isTenant(scope.tenant)} and (${linked(scope.issuer)} or not ${ELIGIBLE})
              and not exists (select from sallyport_ledger d where d.run_id = ${run}::uuid and d.user_id = u.user_id)`
      : sql`select count(*)::int as count from sallyport_ledger f
            where f.run_id = ${scope.listedIn} and f.state = 'listed'
              and not exists (select from ${USERS} where u.user_id = f.user_id and ${due})`,
    CountRow,
  );
  return row?.count ?? 0;
}

const ADMINS: readonly string[] = ['admin', 'super_admin'];

/** Groups of a user: every admin is a member too. */
export function rolesOf({ role }: Pick<FullUser, 'role'>): readonly TenantRole[] {
  return ADMINS.includes(role) ? ['member', 'admin'] : ['member'];
}

/** What providers show: never empty, one line. */
export function displayNameOf({ fullName, email }: Pick<FullUser, 'fullName' | 'email'>): string {
  const plain = (fullName ?? '').replaceAll(/\p{Cc}+/gu, ' ').trim();
  return plain === '' ? email : plain;
}

export function toNewPerson(user: FullUser, passwordHash: string | null): NewPerson {
  const { account, email, emailVerified, tenantId, slug } = user;
  return {
    id: account,
    mail: email,
    mailVerified: emailVerified,
    displayName: displayNameOf(user),
    tenant: { id: tenantId, slug },
    passwordHash,
  };
}

/** Why a hash cannot go along to a provider that takes bcrypt; undefined: it can. */
export function hashFault(hash: string | null): string | undefined {
  if (hash === null || hash === '') return 'no password';
  const [, variant, cost = ''] = /^\$2([a-z]?)\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(hash) ?? [];
  if (variant === undefined) return 'the hash is malformed';
  if (!['a', 'b', 'y'].includes(variant)) return `the hash is of kind 2${variant}`;
  return Number(cost) < 10 || Number(cost) > 16 ? `the hash is of cost ${Number(cost)}` : undefined;
}
