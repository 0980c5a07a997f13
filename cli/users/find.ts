import * as z from 'zod';
import { ofMail } from '../../shared/people/users.ts';
import { isTenant } from '../../shared/people/tenants.ts';
import { uuidOf } from '../../shared/uuid.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { Failure } from '../failure.ts';

const FoundRow = z.object({ id: z.string(), slug: z.string(), email: z.string() });
export type FoundUser = z.output<typeof FoundRow>;

/** One user by id, or by an address that is exact or alone without regard to case. Throws Failure. */
export async function findUser(
  database: Pick<Database, 'query'>,
  idOrMail: string,
  tenant: string | null,
): Promise<FoundUser> {
  const id = uuidOf(idOrMail);
  const which = id === null ? ofMail(idOrMail, tenant) : sql`u.user_id = ${id}::uuid and ${isTenant(tenant)}`;
  const users = await database.query(
    sql`select u.user_id as id, t.slug, u.email from users u join tenants t on t.tenant_id = u.tenant_id
        where ${which} order by t.slug`,
    FoundRow,
  );
  const [user, ...others] = users;
  if (user === undefined)
    throw new Failure(`there is no user ${idOrMail}${tenant === null ? '' : ` in tenant ${tenant}`}`);
  if (others.length > 0)
    throw new Failure(
      `${idOrMail} is in tenants ${users.map(({ slug }) => slug).join(', ')}: name one by --tenant`,
    );
  return user;
}
