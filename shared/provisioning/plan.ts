import type { Database } from '../ports/database.ts';
import { isFailure, type Directory, type Person } from '../ports/directory.ts';
import {
  clashReason,
  collisionOf,
  Groups,
  keysBy,
  loginName,
  Repeated,
  type Keys,
  type Skeleton,
} from './collisions.ts';
import { groupsThatStand } from './groups.ts';
import { heldReason, heldUntil } from './held.ts';
import {
  candidates,
  countSkipped,
  members,
  tenantsOf,
  type Member,
  type Scope,
  type User,
} from './people.ts';
import { ProvisioningRefused } from './run.ts';

/** A user who is left out, and why. */
export interface LeftOut {
  readonly user: User;
  readonly state: 'collision' | 'refused' | 'failed';
  readonly reason: string;
}

export interface PlanDeps {
  readonly database: Pick<Database, 'query'>;
  readonly directory: Pick<Directory, 'traits' | 'nameOf' | 'refusalOf' | 'list' | 'rights' | 'findGroup'>;
  readonly skeleton: Skeleton;
  readonly sleep: (ms: number) => Promise<void>;
}

/**
 * Returns who must be left out, by user id, as far as the database alone decides. Two passes over all who have or get an account: the first finds keys that repeat, the second
 * reads only the people behind them, so that memory holds a hash for each person and a row for the few.
 */
export async function findLeftOut(
  scope: Scope,
  { database, directory, skeleton }: PlanDeps,
): Promise<ReadonlyMap<string, LeftOut>> {
  const { unique } = directory.traits;
  const keysOf = keysBy(directory, skeleton);
  // Where addresses are unique at the provider, people of other tenants collide too.
  const all = (): AsyncGenerator<Member> => members(database, scope.issuer, unique ? null : scope.tenant);
  const repeated = new Repeated();
  const leftOut = new Map<string, LeftOut>();
  for await (const member of all()) {
    for (const key of keysIn(keysOf(member))) repeated.add(key);
    const reason = member.linked ? undefined : directory.refusalOf({ id: member.id, mail: member.email });
    if (reason !== undefined) leftOut.set(member.id, { user: member, state: 'refused', reason });
    if (member.taken && !member.linked) leftOut.set(member.id, collision(member, TAKEN));
  }
  if (!repeated.none) {
    const groups = new Groups();
    const involved: Member[] = [];
    for await (const member of all()) {
      const keys = keysOf(member);
      const shared = keysIn(keys).filter((key) => repeated.has(key));
      for (const key of shared) groups.add(key, member);
      if (shared.length > 0 && !member.linked) involved.push(member);
    }
    for (const member of involved) {
      const reason = collisionOf(member, keysOf(member), groups);
      if (reason !== undefined) leftOut.set(member.id, collision(member, reason));
    }
  }
  return leftOut;
}

function keysIn({ looks, name }: Keys): readonly string[] {
  return name === null ? [looks] : [looks, name];
}

const TAKEN = 'the account with the id of this user belongs to another user';

function collision(user: User, reason: string): LeftOut {
  return { user, state: 'collision', reason };
}

/** Accounts that exist already, as far as creating others is concerned. */
export interface Existing {
  readonly ids: ReadonlySet<string>;
  /** Who has an address, exactly as it is written, or a name. */
  readonly byMail: ReadonlyMap<string, string>;
  readonly byName: ReadonlyMap<string, string>;
}

/** Lists the directory. Throws ProvisioningRefused when it does not answer. */
export async function existingAccounts(
  { directory, database }: Pick<PlanDeps, 'directory' | 'database'>,
  tenant: string | null,
): Promise<Existing> {
  const ids = new Set<string>();
  const byMail = new Map<string, string>();
  const byName = new Map<string, string>();
  for await (const { id, mail, name } of everybody(directory, database, tenant)) {
    ids.add(id);
    byName.set(name.toLowerCase(), id);
    if (mail !== null) byMail.set(mail, id);
  }
  return { ids, byMail, byName };
}

/** People of the directory: by organisation where each tenant has its own. */
export async function* everybody(
  directory: Pick<Directory, 'traits' | 'list'>,
  database: Pick<Database, 'query'>,
  tenant: string | null,
): AsyncGenerator<Person> {
  const apart = directory.traits.mode === 'organisations';
  for (const each of apart ? await tenantsOf(database, tenant) : [null]) {
    for (let from: string | null = null, more = true; more;) {
      const page = await directory.list(each, from);
      if (isFailure(page))
        throw new ProvisioningRefused(
          `${directory.traits.provider} does not list its people: ${page.reason}`,
        );
      yield* page.people;
      from = page.next;
      more = from !== null;
    }
  }
}

/** Counts of outcomes, as a run ends with them. */
export interface Counts {
  readonly created: number;
  readonly linked: number;
  readonly collisions: number;
  readonly refused: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface Preview {
  readonly counts: Counts;
  readonly leftOut: readonly LeftOut[];
}

export interface PreviewRequest {
  readonly tenant: string | null;
  /** People who are handed to the provider, at most. */
  readonly limit: number | null;
  /** Ids of a file; null: everybody without an account. */
  readonly listed: ReadonlySet<string> | null;
}

/** What a run would do now. Reads alone. Throws ProvisioningRefused where the run would, ProviderStopped. */
export async function previewPeople(
  { tenant, limit, listed }: PreviewRequest,
  deps: PlanDeps,
): Promise<Preview> {
  const { directory, database } = deps;
  const scope = { issuer: directory.traits.issuer, tenant, listedIn: null };
  const leftOut = await findLeftOut(scope, deps);
  const existing = await existingAccounts(deps, scope.tenant);
  const held = await heldIds(deps);
  const out: LeftOut[] = [];
  const counts = { created: 0, linked: 0, collisions: 0, refused: 0, failed: 0 };
  let handed = 0;
  let found = 0;
  const tenants = new Set<string>();
  for await (const user of candidates(database, scope, null)) {
    if (listed?.has(user.id) === false) continue;
    found += 1;
    let left = leftOut.get(user.id);
    if (left === undefined) {
      if (limit !== null && handed >= limit) continue;
      handed += 1;
      tenants.add(user.tenantId);
      const until = held.get(user.id);
      left =
        until === undefined
          ? clashOf(user, existing, directory)
          : { user, state: 'failed', reason: heldReason(until) };
    }
    if (left === undefined) counts[existing.ids.has(user.id) ? 'linked' : 'created'] += 1;
    else {
      out.push(left);
      counts[left.state === 'collision' ? 'collisions' : left.state] += 1;
    }
  }
  await groupsThatStand(tenants, deps);
  const skipped = listed === null ? await countSkipped(database, scope, null) : listed.size - found;
  return { counts: { ...counts, skipped }, leftOut: out };
}

/** What the run will be refused: ids that the provider neither gives back nor frees yet. */
async function heldIds({ directory, database }: PlanDeps): Promise<ReadonlyMap<string, Date>> {
  if (directory.traits.heldSeconds === 0) return new Map();
  const rights = await directory.rights();
  if (rights.outcome !== 'rights' || rights.revives) return new Map();
  return heldUntil(database, directory.traits, null);
}

/** The collision with an account of another id; undefined where there is none. */
function clashOf(
  user: User,
  { byMail, byName }: Existing,
  directory: Pick<Directory, 'traits' | 'nameOf'>,
): LeftOut | undefined {
  if (!directory.traits.unique) return undefined;
  const { id, email } = user;
  const fields = [
    ...((byMail.get(email) ?? id) === id ? [] : ['mail' as const]),
    ...((byName.get(loginName(directory, user)) ?? id) === id ? [] : ['name' as const]),
  ];
  return fields.length === 0 ? undefined : collision(user, clashReason(fields));
}
