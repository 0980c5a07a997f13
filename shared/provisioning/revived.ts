import * as z from 'zod';
import { sql, type Database } from '../ports/database.ts';
import type { Creation, Person } from '../ports/directory.ts';
import type { Calls } from './calls.ts';
import { displayNameOf, rolesOf, type FullUser } from './people.ts';

interface RevivedDeps {
  readonly calls: Pick<Calls, 'update' | 'enable' | 'delete' | 'removeMembers'>;
  readonly database: Pick<Database, 'query'>;
}

/**
 * Makes an account that came back as it was when it was deleted into what a new one would be: address, name, state, and no group of
 * another tenant or role. Where that cannot be, it is deleted again.
 */
export async function asNew(user: FullUser, person: Person, deps: RevivedDeps): Promise<Creation> {
  const { calls } = deps;
  await leaveForeign(user, person, deps);
  const displayName = displayNameOf(user);
  const changes = {
    ...(person.mail !== user.email && { mail: { address: user.email, verified: user.emailVerified } }),
    ...(person.displayName !== displayName && { displayName }),
  };
  const changed = Object.keys(changes).length === 0 ? DONE : await calls.update(user.account, changes);
  const result =
    changed.outcome === 'done' && person.state === 'disabled' ? await calls.enable(user.account) : changed;
  if (result.outcome === 'done') return { outcome: 'revived', person };
  if (result.outcome === 'absent')
    return { outcome: 'failed', reason: 'the account was removed at the provider meanwhile' };
  await calls.delete(user.account);
  return result;
}

const DONE = { outcome: 'done' } as const;
const GroupRow = z.object({ id: z.string(), name: z.string() });

async function leaveForeign(
  user: FullUser,
  { groups }: Person,
  { calls, database }: RevivedDeps,
): Promise<void> {
  const foreign = await database.query(
    sql`select kanidm_group_uuid as id, kanidm_group_name as name from kanidm_tenant_groups
        where kanidm_group_uuid::text = any(${[...groups]}::text[])
          and not (tenant_id = ${user.tenantId}::uuid and role = any(${[...rolesOf(user)]}::text[]))`,
    GroupRow,
  );
  for (const group of foreign) await calls.removeMembers(group, [user.account]);
}
