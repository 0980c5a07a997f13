import type { Calls } from './calls.ts';
import { groupsOff, type Difference, type Linked } from './compare.ts';
import type { TenantGroup } from './groups.ts';
import { lookAgain, someAtATime, type LookAgainDeps } from './look-again.ts';
import { noGroup } from './make.ts';

/** Undefined when everything was done for it; else why not. Throws ProvisioningRefused. */
export async function mendGroups(
  user: Linked,
  groups: readonly TenantGroup[],
  calls: Calls,
): Promise<string | undefined> {
  const off = await groupsOffOf(user, groups, calls);
  if (off === undefined) return GONE;
  // Out of the wrong tenant first, so that the move itself puts no account into both.
  for (const group of off.foreign) await calls.removeMembers(group, [user.account]);
  for (const group of off.lacking) {
    const joined = await calls.addMembers(group, [user.account]);
    if (joined.outcome === 'no-group') throw noGroup(group.name);
    if (joined.outcome !== 'done') return joined.reason;
  }
  return undefined;
}

export const GONE = 'the account is gone meanwhile';

/**
 * Returns the moves that took no effect, with the reason. Where the provider keeps a membership for good, as Zitadel does that of an
 * organisation, nothing has changed.
 */
export async function notMoved(
  moved: readonly Difference[],
  groups: readonly TenantGroup[],
  calls: Calls,
  deps: LookAgainDeps,
): Promise<ReadonlyMap<Difference, string>> {
  const reasons = new Map<Difference, string>();
  const look = async (open: readonly Difference[]): Promise<readonly Difference[]> => {
    await someAtATime(open, async (difference) => {
      const off = difference.user === null ? NOTHING_OFF : await groupsOffOf(difference.user, groups, calls);
      if (off === undefined) reasons.set(difference, GONE);
      else if (off.foreign.length + off.lacking.length > 0) reasons.set(difference, NOT_MOVED);
      else reasons.delete(difference);
    });
    return open.filter((each) => reasons.get(each) === NOT_MOVED);
  };
  await lookAgain(await look(moved), deps, look);
  return reasons;
}

const NOTHING_OFF = { lacking: [], foreign: [] };
const NOT_MOVED = 'the provider cannot move the account there: an administrator has to';

async function groupsOffOf(user: Linked, groups: readonly TenantGroup[], calls: Pick<Calls, 'find'>) {
  const found = await calls.find([user.account]);
  const person = found.outcome === 'found' ? found.people[0] : undefined;
  return person === undefined ? undefined : groupsOff(user, person, groups);
}
