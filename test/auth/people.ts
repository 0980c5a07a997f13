import { hashSync } from 'bcryptjs';
import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { sql, type Database } from '../../shared/ports/database.ts';

export const PASSWORD = 'correct horse battery';

export interface MadeUser {
  readonly userId: string;
  readonly tenantId: string;
  readonly slug: string;
  readonly email: string;
}

const Id = z.object({ id: z.string() });

/** A tenant of a name of its own. */
export async function makeTenant(
  database: Database,
  status = 'active',
): Promise<{ tenantId: string; slug: string }> {
  const slug = `tenant-${randomUUID().slice(0, 8)}`;
  const [row] = await database.query(
    sql`insert into tenants (name, slug, status) values (${slug}, ${slug}, ${status}) returning tenant_id as id`,
    Id,
  );
  return { tenantId: row!.id, slug };
}

export interface UserOptions {
  readonly tenant?: { readonly tenantId: string; readonly slug: string };
  readonly email?: string;
  /** The hash as it is stored; null: none. */
  readonly hash?: string | null;
  readonly authMethod?: string;
  readonly status?: string;
  readonly role?: string;
  readonly deleted?: boolean;
  readonly kanidmUserId?: string;
}

/** The hash of PASSWORD, at the lowest cost there is. */
export const HASH = hashSync(PASSWORD, 4);

export async function makeUser(database: Database, options: UserOptions = {}): Promise<MadeUser> {
  const tenant = options.tenant ?? (await makeTenant(database));
  const email = options.email ?? `p${randomUUID().slice(0, 8)}@example.org`;
  const { hash = HASH, authMethod = 'password', status = 'active', role = 'user', deleted = false } = options;
  const [row] = await database.query(
    sql`insert into users (tenant_id, email, password_hash, full_name, auth_method, status, role, deleted_at, kanidm_user_id)
        values (${tenant.tenantId}, ${email}, ${hash}, 'A Person', ${authMethod}, ${status}, ${role},
          ${deleted ? new Date() : null}, ${options.kanidmUserId ?? null}) returning user_id as id`,
    Id,
  );
  return { userId: row!.id, ...tenant, email };
}

export const UserRow = z.object({
  password_hash: z.string().nullable(),
  failed_login_attempts: z.number(),
  locked_until: z.date().nullable(),
  last_login_at: z.date().nullable(),
  auth_method: z.string(),
  lock_minutes: z.number().nullable(),
});

export async function userRow(database: Database, userId: string): Promise<z.output<typeof UserRow>> {
  const [row] = await database.query(
    sql`select password_hash, failed_login_attempts, locked_until, last_login_at, auth_method,
          round(extract(epoch from locked_until - now()) / 60)::int as lock_minutes
        from users where user_id = ${userId}`,
    UserRow,
  );
  return row!;
}

const AuditRow = z.object({ who: z.string(), what: z.string(), why: z.string().nullable() });

/** What the audit says of a person, oldest first. */
export function auditOf(database: Database, userId: string): Promise<z.output<typeof AuditRow>[]> {
  return database.query(
    sql`select who, what, detail ->> 'why' as why from sallyport_audit where subject = ${userId} order by id`,
    AuditRow,
  );
}
