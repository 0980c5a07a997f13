import type { Database } from '../ports/database.ts';
import type { Creation, Directory, Group, NewPerson, TenantRole } from '../ports/directory.ts';
import type { Clock } from '../ports/runtime.ts';
import type { Calls } from './calls.ts';
import { clashReason } from './collisions.ts';
import { heldAtLongest, heldReason, heldUntil } from './held.ts';
import type { Ledger, Resolution } from './ledger.ts';
import { hashFault, rolesOf, toNewPerson, type FullUser } from './people.ts';
import { asNew } from './revived.ts';
import { ProvisioningRefused } from './run.ts';

/** Groups of a tenant at the provider, by the id of the tenant. */
export type GroupsOf = ReadonlyMap<string, Readonly<Record<TenantRole, Group>>>;

export interface MakeDeps {
  readonly database: Pick<Database, 'query'>;
  readonly clock: Clock;
  readonly calls: Calls;
  readonly traits: Directory['traits'];
  readonly groups: GroupsOf;
  readonly ledger: Pick<Ledger, 'resolve' | 'gone' | 'removed'>;
  /** False: no hash goes along. */
  readonly passwords: boolean;
}

/** Makes the accounts of users who are intended, links them and writes what became of each. */
export async function makeAccounts(users: readonly FullUser[], deps: MakeDeps): Promise<void> {
  const { traits, ledger } = deps;
  const batches: FullUser[][] = [];
  for (let at = 0; at < users.length; at += traits.batch) batches.push(users.slice(at, at + traits.batch));
  const made = await allOf(batches.map((batch) => makeBatch(batch, deps)));
  const gone = await ledger.resolve(made.flat());
  if (gone.length > 0) await removeGone(deps);
}

/** Waits for all, so that no call is under way any more when one has failed. */
export async function allOf<T>(work: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

async function makeBatch(users: readonly FullUser[], deps: MakeDeps): Promise<Resolution[]> {
  const people = users.map((user) => withPassword(user, deps));
  const answers = await deps.calls.create(people.map(({ person }) => person));
  const creations = await allOf(
    users.map(async (user, at) => {
      const answer = answers[at];
      return answer?.outcome === 'revived' ? asNew(user, answer.person, deps) : answer;
    }),
  );
  const made = users.map((user, at) => toResolution(user, creations[at], people[at]?.fault));
  const results = await withDates(made, creations, deps);
  const there = users.filter((_, at) => results[at]?.account !== null);
  const absent = await join(there, deps);
  return results.map((result) =>
    absent.has(result.account ?? '')
      ? { ...result, state: 'failed', account: null, reason: VANISHED }
      : result,
  );
}

const VANISHED = 'the account was removed at the provider meanwhile';

/** A hash that the provider would refuse is left out, and the person flagged. */
function withPassword(
  user: FullUser,
  { traits, passwords }: MakeDeps,
): { readonly person: NewPerson; readonly fault: string | undefined } {
  if (traits.passwords !== 'hash' || !passwords) return { person: toNewPerson(user, null), fault: undefined };
  const fault = hashFault(user.passwordHash);
  return { person: toNewPerson(user, fault === undefined ? user.passwordHash : null), fault };
}

function toResolution(
  { id: userId, account }: FullUser,
  creation: Creation | undefined,
  fault: string | undefined,
): Resolution {
  const left = (state: Resolution['state'], reason: string): Resolution => ({
    userId,
    state,
    account: null,
    reason,
  });
  if (creation === undefined) return left('failed', 'no result for this person');
  switch (creation.outcome) {
    case 'created': {
      const password = creation.password === 'refused' ? 'the provider refused the hash' : fault;
      return { userId, state: 'created', account, reason: null, password };
    }
    case 'revived':
      return { userId, state: 'created', account, reason: 'the deleted account was brought back' };
    case 'exists':
      return { userId, state: 'linked', account, reason: null, groups: creation.person.groups };
    case 'clash':
      return left('collision', clashReason(creation.fields));
    case 'refused':
      return left('refused', creation.reason);
    case 'held':
      return left('failed', creation.until === null ? '' : heldReason(creation.until));
    default:
      return left('failed', creation.reason);
  }
}

/** Without the right to see what was deleted, the ledger alone has its time. */
async function withDates(
  results: readonly Resolution[],
  creations: readonly (Creation | undefined)[],
  { database, clock, traits }: MakeDeps,
): Promise<readonly Resolution[]> {
  const undated = (at: number): boolean => {
    const creation = creations[at];
    return creation?.outcome === 'held' && creation.until === null;
  };
  const ids = results.filter((_, at) => undated(at)).map(({ userId }) => userId);
  if (ids.length === 0) return results;
  const dates = await heldUntil(database, traits, ids);
  return results.map((result, at) => {
    if (!undated(at)) return result;
    const until = dates.get(result.userId);
    return {
      ...result,
      reason: until === undefined ? heldAtLongest(clock.now(), traits) : heldReason(until),
    };
  });
}

/** Adds accounts to the groups of their tenants. Returns ids that are no accounts any more. */
async function join(users: readonly FullUser[], { calls, groups }: MakeDeps): Promise<ReadonlySet<string>> {
  const wanted = new Map<Group, string[]>();
  for (const user of users) {
    const own = groups.get(user.tenantId);
    for (const role of rolesOf(user)) {
      const group = own?.[role];
      if (group === undefined) throw noGroup(user.slug);
      wanted.set(group, [...(wanted.get(group) ?? []), user.account]);
    }
  }
  const absent = new Set<string>();
  // One after another: at Zitadel the roles of a person are one value, of which two writes at once would lose one.
  for (const [group, ids] of wanted) {
    const result = await calls.addMembers(group, ids);
    if (result.outcome === 'no-group') throw noGroup(group.name);
    if (result.outcome !== 'done') throw new ProvisioningRefused(`${group.name}: ${result.reason}`);
    for (const id of result.absent) absent.add(id);
  }
  return absent;
}

export function noGroup(which: string): ProvisioningRefused {
  return new ProvisioningRefused(
    `the groups of ${which} are not at the provider: \`sallyport tenants sync\` makes them`,
  );
}

/** Removes accounts of users who were deleted meanwhile. An account that was there before the run stays. */
export async function removeGone({ calls, ledger }: Pick<MakeDeps, 'calls' | 'ledger'>): Promise<void> {
  for (;;) {
    const gone = await ledger.gone();
    if (gone.length === 0) return;
    await allOf(gone.filter(({ ours }) => ours).map(async ({ userId }) => removeAccount(calls, userId)));
    await ledger.removed(gone.map(({ userId }) => userId));
  }
}

/** Deleting who is not there is done. Throws ProvisioningRefused. */
async function removeAccount(calls: Pick<Calls, 'delete'>, id: string): Promise<void> {
  const result = await calls.delete(id);
  if (result.outcome === 'deleted' || result.outcome === 'absent') return;
  throw new ProvisioningRefused(`the account ${id} of a deleted user could not be removed: ${result.reason}`);
}
