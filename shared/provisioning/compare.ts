import * as z from 'zod';
import { isTenant } from '../people/tenants.ts';
import { sql, type Database } from '../ports/database.ts';
import { isFailure, type Directory, type Person } from '../ports/directory.ts';
import { ProviderStopped } from './calls.ts';
import { standingGroups, type TenantGroup } from './groups.ts';
import { lookAgain, someAtATime } from './look-again.ts';
import { noGroup } from './make.ts';
import { accountOf, displayNameOf, ELIGIBLE, linked, NIL, rolesOf, tenantsOf, USERS } from './people.ts';
import { everybody } from './plan.ts';

export const KINDS = ['missing', 'orphaned', 'mail', 'name', 'group', 'state', 'half_made'] as const;
export type DifferenceKind = (typeof KINDS)[number];

/** Where database and provider do not agree. */
export interface Difference {
  readonly kind: DifferenceKind;
  /** Null for an orphan: an account that no user is linked to. */
  readonly user: Linked | null;
  readonly account: string;
  readonly database: string | null;
  readonly provider: string | null;
}

const LinkedRow = z.object({
  id: z.string(),
  tenantId: z.string(),
  slug: z.string(),
  email: z.string(),
  emailVerified: z.boolean(),
  fullName: z.string().nullable(),
  role: z.string(),
  account: z.string(),
  linked: z.boolean(),
  /** May sign in. */
  active: z.boolean(),
});
/** A user who has an account, or could have a half-made one. */
export type Linked = z.output<typeof LinkedRow>;

export interface CompareDeps {
  readonly database: Pick<Database, 'query'>;
  readonly directory: Pick<Directory, 'traits' | 'list' | 'find' | 'findGroup'>;
  readonly sleep: (ms: number) => Promise<void>;
  readonly onProgress: (done: number, total: number) => void;
}

const PAGE = 1_000;

/** Every user who has an account, or is to have one, of one tenant or all. */
async function* linkedUsers(
  database: Pick<Database, 'query'>,
  issuer: string,
  tenant: string | null,
): AsyncGenerator<Linked[]> {
  for (let last = NIL, more = true; more;) {
    const page: Linked[] = await database.query(
      sql`select u.user_id as id, u.tenant_id as "tenantId", t.slug, u.email, u.email_verified as "emailVerified",
            u.full_name as "fullName", u.role, ${linked(issuer)} as linked,
            ${accountOf(issuer)} as account,
            (u.status = 'active' and u.deleted_at is null and t.status = 'active' and t.deleted_at is null) as active
          from ${USERS} where u.user_id > ${last}::uuid and ${isTenant(tenant)} and (${ELIGIBLE} or ${linked(issuer)})
          order by u.user_id limit ${PAGE}::int`,
      LinkedRow,
    );
    yield page;
    last = page.at(-1)?.id ?? last;
    more = page.length === PAGE;
  }
}

/** Compares both sides. `each` is called with one difference after another. Throws ProvisioningRefused, ProviderStopped. */
export async function compare(
  tenant: string | null,
  deps: CompareDeps,
  each: (difference: Difference) => Promise<void> | void,
): Promise<void> {
  const { database, directory } = deps;
  const { issuer } = directory.traits;
  const accounts = new Map<string, Person>();
  for await (const person of everybody(directory, database, tenant)) accounts.set(person.id, person);
  const groups = await standingGroups(deps);
  const total = accounts.size;
  let done = 0;
  for await (const page of linkedUsers(database, issuer, tenant)) {
    const unseen = page.filter((user) => user.linked && !accounts.has(user.account));
    for (const person of await lookUp(unseen, deps)) accounts.set(person.id, person);
    await seeAgain(page, accounts, groups, deps);
    for (const user of page) {
      const person = accounts.get(user.account);
      accounts.delete(user.account);
      for (const difference of differencesOf(user, person, groups)) await each(difference);
    }
    done += page.length;
    deps.onProgress(Math.min(done, total), total);
  }
  const tenants = new Set((await tenantsOf(database, tenant)).map(({ id }) => id));
  const own = new Set(groups.filter(({ tenantId }) => tenants.has(tenantId)).map(({ id }) => id));
  for (const { id, groups: ids, mail, name } of accounts.values())
    if (
      ids.some((group) => own.has(group)) &&
      !(await hasUser(database, issuer, id)) &&
      (await isThere(id, deps))
    )
      await each({ kind: 'orphaned', user: null, account: id, database: null, provider: mail ?? name });
}

/**
 * A deletion meanwhile can move people over the end of a page; and a list may lag behind what was written, which the look at a
 * single account does not.
 */
async function lookUp(users: readonly Linked[], { directory }: CompareDeps): Promise<readonly Person[]> {
  const found: Person[] = [];
  const find = async (ids: readonly string[]): Promise<void> => {
    const result = await directory.find(ids);
    if (isFailure(result)) throw new ProviderStopped(directory.traits.provider, result);
    found.push(...result.people);
  };
  if (users.length > 1) await find(users.map(({ account }) => account));
  const there = new Set(found.map(({ id }) => id));
  for (const { account } of users) if (!there.has(account)) await find([account]);
  return found;
}

async function findOne(account: string, { directory }: CompareDeps): Promise<Person | undefined> {
  const result = await directory.find([account]);
  if (isFailure(result)) throw new ProviderStopped(directory.traits.provider, result);
  return result.people[0];
}

async function isThere(account: string, deps: CompareDeps): Promise<boolean> {
  return deps.directory.traits.lagMs === 0 || (await findOne(account, deps)) !== undefined;
}

/**
 * Reads users that seem to differ once more. Lists lag behind what was written: a single account does not, but its groups do, so that those
 * are read again for as long.
 */
async function seeAgain(
  page: readonly Linked[],
  accounts: Map<string, Person>,
  groups: readonly TenantGroup[],
  deps: CompareDeps,
): Promise<void> {
  if (deps.directory.traits.lagMs === 0) return;
  const kindsOf = (user: Linked): readonly DifferenceKind[] =>
    differencesOf(user, accounts.get(user.account), groups).map(({ kind }) => kind);
  const look = async (users: readonly Linked[]): Promise<readonly Linked[]> => {
    await someAtATime(users, async ({ account }) => {
      const person = await findOne(account, deps);
      if (person === undefined) accounts.delete(account);
      else accounts.set(account, person);
    });
    return users.filter((user) => kindsOf(user).includes('group'));
  };
  const listed = page.filter((user) => accounts.has(user.account) && kindsOf(user).length > 0);
  await lookAgain(await look(listed), deps, look);
}

const CountRow = z.object({ count: z.number() });

/** A user of another tenant, or an excluded or deleted one, has the account. */
async function hasUser(database: Pick<Database, 'query'>, issuer: string, account: string): Promise<boolean> {
  const [row] = await database.query(
    sql`select count(*)::int as count from users u where u.user_id::text = ${account} or u.kanidm_user_id::text = ${account}
          or exists (select from sallyport_links l where l.user_id = u.user_id and l.issuer = ${issuer} and l.subject = ${account})`,
    CountRow,
  );
  return (row?.count ?? 0) > 0;
}

function differencesOf(
  user: Linked,
  person: Person | undefined,
  groups: readonly TenantGroup[],
): readonly Difference[] {
  const differing = (kind: DifferenceKind, database: string | null, provider: string | null): Difference => ({
    kind,
    user,
    account: user.account,
    database,
    provider,
  });
  if (person === undefined) return user.linked && user.active ? [differing('missing', user.email, null)] : [];
  if (!user.linked) return [differing('half_made', user.email, person.mail ?? person.name)];
  const state = user.active ? 'active' : 'disabled';
  const displayName = displayNameOf(user);
  const { lacking, foreign } = user.active ? groupsOff(user, person, groups) : NO_GROUPS;
  return [
    ...(person.mail !== null && person.mail !== user.email
      ? [differing('mail', user.email, person.mail)]
      : []),
    ...(person.displayName !== null && person.displayName !== displayName
      ? [differing('name', displayName, person.displayName)]
      : []),
    ...(person.state === state ? [] : [differing('state', state, person.state)]),
    ...(lacking.length + foreign.length === 0
      ? []
      : [differing('group', namesOf(lacking), namesOf(foreign))]),
  ];
}

const NO_GROUPS = { lacking: [], foreign: [] };

function namesOf(groups: readonly TenantGroup[]): string | null {
  return groups.length === 0 ? null : groups.map(({ name }) => name).join(' ');
}

/**
 * Groups of tenants that an account is not in and should be, and the reverse; other groups of the provider are left alone.
 * Throws ProvisioningRefused where a group that is due does not stand.
 */
export function groupsOff(
  user: Pick<Linked, 'tenantId' | 'slug' | 'role'>,
  person: Pick<Person, 'groups'>,
  groups: readonly TenantGroup[],
): { readonly lacking: readonly TenantGroup[]; readonly foreign: readonly TenantGroup[] } {
  const roles = rolesOf(user);
  const due = groups.filter(({ tenantId, role }) => tenantId === user.tenantId && roles.includes(role));
  if (due.length < roles.length) throw noGroup(`tenant ${user.slug}`);
  const inside = new Set(person.groups);
  return {
    lacking: due.filter(({ id, virtual }) => virtual !== true && !inside.has(id)),
    foreign: groups.filter((group) => !due.includes(group) && inside.has(group.id)),
  };
}
