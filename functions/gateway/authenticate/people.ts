import * as z from 'zod';
import type { Collapse } from '../../../shared/caches/in-flight.ts';
import type { IssuerConfig } from '../../../shared/configuration/issuers.ts';
import { DatabaseError, DatabaseUnavailable, sql, type Database } from '../../../shared/ports/database.ts';
import { Refusal, Unavailable } from '../../../shared/errors.ts';
import { userOf } from '../../../shared/identity/subjects.ts';
import { linkedUser, type Account } from '../../../shared/people/links.ts';
import { inTime, type Clock } from '../../../shared/ports/runtime.ts';
import { uuidReadIn } from '../../../shared/uuid.ts';
import type { GroupsOf } from './groups.ts';
import type { Claims, Identity, Rejected, Verified } from './principal.ts';
import { NO_DATABASE, NOWHERE, tenancy, type Tenancies, type Tenancy } from './tenancies.ts';
import { invalidToken } from './token.ts';

/** Whose account a token is of, and in which tenants. */
export interface Located {
  readonly identity: Identity;
  readonly tenancies: Tenancies;
  /** Milliseconds since the epoch; to be looked up again from then on. */
  readonly untilMs: number;
}

export interface Presented {
  readonly token: string;
  readonly identity: Identity;
  readonly claims: Claims;
}

/**
 * Locates the subject of a verified token. `before`: what was found for the same token last; it keeps its identity while the
 * database is away. Throws as `Database`, never with another identity.
 */
export type Locate = (presented: Presented, before: Verified | undefined) => Promise<Located | Rejected>;

export interface PeopleDeps {
  /** Null: subjects are taken as they are, and nobody is in a tenant. */
  readonly database: Pick<Database, 'query'> | null;
  readonly issuers: readonly IssuerConfig[];
  readonly groupsOf: GroupsOf;
  readonly clock: Clock;
  readonly collapse: Collapse;
}

/** Longest that a tenant and a role are remembered. */
const REMEMBERED_MS = 60_000;
/** After a failure, and after a refusal. */
const AGAIN_MS = 5_000;
/** For one look-up; the driver's own bounds are those of long work. */
const WITHIN_MS = 3_000;
/** Those that the bundle links accounts of. */
const PROVIDERS = new Set(['zitadel', 'kanidm']);

export function createPeople({ database, issuers, groupsOf, clock, collapse }: PeopleDeps): Locate {
  const shared = new Set(issuers.flatMap(({ name, sharedSubjects }) => (sharedSubjects ? [name] : [])));
  const kanidmIssuer = issuers.find(({ name }) => name === 'kanidm')?.url ?? null;
  if (database === null)
    return ({ identity }) => Promise.resolve({ identity, tenancies: NO_DATABASE, untilMs: Infinity });
  const locate = async ({ presented, before }: Locating): Promise<Located | Rejected> => {
    const { identity } = presented;
    const isShared = shared.has(identity.issuerName);
    const again = clock.now() + AGAIN_MS;
    let account: AccountRow;
    try {
      const { issuer, subject } = identity;
      account = await find(database, { issuer, subject }, kanidmIssuer);
    } catch (fault) {
      const known = isShared ? before : identity;
      if (known === undefined || !isAway(fault)) throw fault;
      return { identity: { ...identity, ...nameOf(known) }, tenancies: { all: [], fault }, untilMs: again };
    }
    if (isShared && account.taken)
      return { refusal: invalidToken('sub is the id of a user whose account it is not'), untilMs: again };
    const own = isShared && account.userId !== null ? renamed(identity, account.userId) : identity;
    const tenancies = await tenanciesOf(account, presented, { database, groupsOf });
    if (tenancies instanceof Refusal) return { refusal: tenancies, untilMs: again };
    const forMs = tenancies.fault === undefined ? REMEMBERED_MS : AGAIN_MS;
    return { identity: own, tenancies, untilMs: clock.now() + forMs };
  };
  // One token comes with many requests at the same time, and is asked about once from the first query to the last.
  const locateOnce = collapse(locate, ({ presented }) => presented.token);
  return async (presented, before) => {
    const { identity } = presented;
    return PROVIDERS.has(identity.issuerName)
      ? locateOnce({ presented, before })
      : { identity, tenancies: NOWHERE, untilMs: Infinity };
  };
}

interface Locating {
  readonly presented: Presented;
  readonly before: Verified | undefined;
}

function isAway(fault: unknown): boolean {
  return fault instanceof Unavailable || fault instanceof DatabaseError;
}

function nameOf({ subject, user, formerUser }: Identity): Partial<Identity> {
  return { subject, user, ...(formerUser !== undefined && { formerUser }) };
}

function renamed(identity: Identity, userId: string): Identity {
  if (identity.subject === userId) return identity;
  const user = userOf({ name: identity.issuerName, sharedSubjects: true }, userId);
  return { ...identity, subject: userId, user, formerUser: identity.user };
}

const AccountRow = z.object({
  /** The user that the account is linked to. */
  userId: z.string().nullable(),
  /** The subject is the id of a user that it is not linked to. */
  taken: z.boolean(),
  /** There are groups that stand for tenants. */
  grouped: z.boolean(),
  /** Null for an inactive user, or one of an inactive tenant. */
  tenant: z.string().nullable(),
  slug: z.string().nullable(),
  role: z.string().nullable(),
});

type AccountRow = z.output<typeof AccountRow>;

async function find(
  database: Pick<Database, 'query'>,
  { issuer, subject }: Account,
  kanidmIssuer: string | null,
): Promise<AccountRow> {
  const linked = linkedUser({ issuer, subject }, kanidmIssuer);
  const statement = sql`select l.user_id as "userId",
      l.user_id is null and exists (select from users o where o.user_id = ${uuidReadIn(subject)}::uuid) as taken,
      l.user_id is null and exists (select from kanidm_tenant_groups) as grouped,
      t.tenant_id as tenant, t.slug, u.role
    from (select ${linked} as user_id) l
      left join users u on u.user_id = l.user_id and u.status = 'active' and u.deleted_at is null
      left join tenants t on t.tenant_id = u.tenant_id and t.status = 'active' and t.deleted_at is null`;
  const [row] = await soon(database.query(statement, AccountRow));
  if (row === undefined) throw new Error('a look-up without from has one row');
  return row;
}

/** By the user's row; an account without one by its groups. A Refusal: the provider no longer accepts the token. */
async function tenanciesOf(
  { userId, grouped, tenant, slug, role }: AccountRow,
  { identity, claims, token }: Presented,
  { database, groupsOf }: Pick<PeopleDeps, 'groupsOf'> & { readonly database: Pick<Database, 'query'> },
): Promise<Tenancies | Refusal> {
  if (tenant !== null && slug !== null && role !== null)
    return { all: [tenancy(tenant, slug, role)], fault: undefined };
  if (userId !== null || !grouped) return NOWHERE;
  try {
    const groups = await groupsOf(identity, claims, token);
    if (groups.length === 0) return NOWHERE;
    return { all: highest(await soon(tenantsOfGroups(database, groups))), fault: undefined };
  } catch (fault) {
    if (fault instanceof Refusal) return fault;
    if (!isAway(fault)) throw fault;
    return { all: [], fault };
  }
}

const GroupRow = z.object({
  tenant: z.string(),
  slug: z.string(),
  role: z.enum(['viewer', 'member', 'admin']),
});

type GroupRow = z.output<typeof GroupRow>;

/** A caller in more tenants is an operator of them, who has a row. */
const MOST_TENANTS = 64;

function tenantsOfGroups(database: Pick<Database, 'query'>, groups: readonly string[]): Promise<GroupRow[]> {
  return database.query(
    sql`select t.tenant_id as tenant, t.slug, g.role from kanidm_tenant_groups g
        join tenants t on t.tenant_id = g.tenant_id and t.status = 'active' and t.deleted_at is null
        where g.kanidm_group_uuid = any(${groups}::uuid[]) order by t.tenant_id limit ${MOST_TENANTS * 3}`,
    GroupRow,
  );
}

/** Roles of groups as those of users, the higher later. */
const ROLES = ['viewer', 'member', 'admin'] as const;
const ROLE_OF = { viewer: 'viewer', member: 'user', admin: 'admin' } as const;

function highest(rows: readonly GroupRow[]): Tenancy[] {
  const best = new Map<string, GroupRow>();
  for (const row of rows) {
    const known = best.get(row.tenant);
    if (known === undefined || ROLES.indexOf(row.role) > ROLES.indexOf(known.role)) best.set(row.tenant, row);
  }
  return [...best.values()]
    .slice(0, MOST_TENANTS)
    .map(({ tenant, slug, role }) => tenancy(tenant, slug, ROLE_OF[role]));
}

/** Throws DatabaseUnavailable when the answer is late; the statement ends by the driver's own bound. */
function soon<T>(answer: Promise<T>): Promise<T> {
  return inTime(WITHIN_MS, answer, () => {
    throw new DatabaseUnavailable(`no answer within ${WITHIN_MS} ms`);
  });
}
