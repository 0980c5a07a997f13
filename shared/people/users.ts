import * as z from 'zod';
import { sql, type Database, type Sql } from '../ports/database.ts';
import { isTenant } from './tenants.ts';

/** In sallyport_people.flags, once the provider has taken the password (true) or refused it for good (false). */
export const PASSWORD_CARRIED = 'password_carried';

/** In sallyport_people.flags while the password of a user was changed here, and the provider has the one from before. */
export const PASSWORD_BEHIND = 'password_behind';

export const PersonShape = {
  userId: z.string(),
  tenantId: z.string(),
  slug: z.string(),
  email: z.string(),
  fullName: z.string().nullable(),
  /** super_admin, admin, manager, user or viewer. */
  role: z.string(),
  authMethod: z.enum(['password', 'kanidm', 'dual']),
  /** User and tenant are active, and neither is deleted. */
  active: z.boolean(),
  /** State of the move to the provider. */
  migration: z.enum(['not_invited', 'provisioned', 'invited', 'completed', 'excluded']),
};

export const PersonRow = z.object(PersonShape);

/** A row of `users` with its tenant. */
export type Person = Readonly<z.output<typeof PersonRow>>;

/**
 * Columns of a Person, over PEOPLE. Those that the clean-up drops are read through jsonb, so that sign-in by the provider goes
 * on without them.
 */
export const PERSON = sql`
  u.user_id as "userId", u.tenant_id as "tenantId", t.slug, u.email, u.full_name as "fullName", u.role,
  coalesce(to_jsonb(u) ->> 'auth_method', 'kanidm') as "authMethod",
  (u.status = 'active' and u.deleted_at is null and t.status = 'active' and t.deleted_at is null) as active,
  case when p.excluded_at is not null then 'excluded'
    when to_jsonb(u) ->> 'migration_completed_at' is not null then 'completed'
    when to_jsonb(u) ->> 'migration_invited_at' is not null then 'invited'
    when u.kanidm_user_id is not null or exists (select from sallyport_links l where l.user_id = u.user_id) then 'provisioned'
    else 'not_invited' end as migration`;

export const PEOPLE = sql`users u join tenants t on t.tenant_id = u.tenant_id
  left join sallyport_people p on p.user_id = u.user_id`;

/**
 * People of an address: those with exactly this spelling if there are any, else those that it fits without regard to case and
 * who are alone with that in their tenant. Deleted rows do not count. For `where`, over PEOPLE; served by an index on lower(email).
 */
export function ofMail(email: string, tenant: string | null): Sql {
  const alike = sql`lower(u.email) = lower(${email}::text) and u.deleted_at is null and ${isTenant(tenant)}`;
  const others = sql`select from users o join tenants t on t.tenant_id = o.tenant_id
    where lower(o.email) = lower(${email}::text) and o.deleted_at is null and ${isTenant(tenant)}`;
  return sql`${alike} and (u.email = ${email}::text or not exists (${others}
    and (o.email = ${email}::text or (o.tenant_id = u.tenant_id and o.user_id <> u.user_id))))`;
}

const ThereRow = z.object({ there: z.boolean() });

/** False once the clean-up has dropped them. Throws as `Database`. */
export async function hasPasswords(database: Pick<Database, 'query'>): Promise<boolean> {
  const [row] = await database.query(
    sql`select exists (select from pg_attribute where attrelid = to_regclass('users') and attname = 'password_hash'
          and not attisdropped) as there`,
    ThereRow,
  );
  return row?.there === true;
}
