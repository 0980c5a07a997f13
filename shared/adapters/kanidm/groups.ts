import * as z from 'zod';
import type { Directory, Failure, Group, Membership } from '../../ports/directory.ts';
import type { Random } from '../../ports/runtime.ts';
import type { Caller } from '../provider-call.ts';
import { ask, asFailure, batchMs, READ_MS, WRITE_MS } from './client.ts';
import { kanidmGroupName } from './names.ts';
import { whichExist } from './people.ts';

const GroupEntry = z.object({ attrs: z.looseObject({ uuid: z.tuple([z.string()]) }) });

async function findGroup(
  caller: Caller,
  name: string,
): Promise<{ readonly outcome: 'found'; readonly group: Group } | { readonly outcome: 'absent' } | Failure> {
  const path = `/v1/group/${encodeURIComponent(name)}`;
  const answer = await ask(caller, { method: 'GET', path, timeoutMs: READ_MS });
  if (answer.outcome === 'absent') return { outcome: 'absent' };
  if (answer.outcome !== 'ok') return asFailure(answer);
  const entry = GroupEntry.safeParse(answer.body).data;
  return entry === undefined
    ? { outcome: 'absent' }
    : { outcome: 'found', group: { id: entry.attrs.uuid[0], name } };
}

const MEMBERS_IN_CALL = 500;

type Change = 'POST' | 'DELETE';

/** Members of one group, changed by atomic calls. */
async function changeMembers(
  caller: Caller,
  method: Change,
  { id }: Group,
  ids: readonly string[],
): Promise<Membership | Failure> {
  const absent: string[] = [];
  for (let from = 0; from < ids.length; from += MEMBERS_IN_CALL) {
    const some = ids.slice(from, from + MEMBERS_IN_CALL);
    const done = await changeSome(caller, method, id, some);
    if (done.outcome !== 'done') return done;
    absent.push(...done.absent);
  }
  return { outcome: 'done', absent };
}

async function changeSome(
  caller: Caller,
  method: Change,
  id: string,
  ids: readonly string[],
  absent: readonly string[] = [],
): Promise<Membership | Failure> {
  if (ids.length === 0) return { outcome: 'done', absent };
  const path = `/v1/group/${encodeURIComponent(id)}/_attr/member`;
  const answer = await ask(caller, { method, path, body: ids, timeoutMs: batchMs(ids.length / 100) });
  if (answer.outcome === 'ok') return { outcome: 'done', absent };
  if (answer.outcome === 'absent') return { outcome: 'no-group' };
  if (answer.outcome !== 'member-unknown') return asFailure(answer);
  const known = await whichExist(caller, ids);
  if (known.outcome !== 'exist') return known;
  // Deleted between the two calls; the next attempt finds it.
  if (known.ids.size === ids.length)
    return { outcome: 'busy', reason: 'a member came or went meanwhile', retryAfterSeconds: null };
  const [there, gone] = [ids.filter((one) => known.ids.has(one)), ids.filter((one) => !known.ids.has(one))];
  return changeSome(caller, method, id, there, [...absent, ...gone]);
}

export function kanidmGroups(
  caller: Caller,
  random: Random,
): Pick<Directory, 'groupName' | 'findGroup' | 'ensureGroup' | 'addMembers' | 'removeMembers'> {
  return {
    groupName: ({ slug }, role) => kanidmGroupName(slug, role),
    findGroup: ({ slug }, role) => findGroup(caller, kanidmGroupName(slug, role).name),
    async ensureGroup({ slug, name: tenant }, role) {
      const { name } = kanidmGroupName(slug, role);
      const found = await findGroup(caller, name);
      if (found.outcome === 'found') return { outcome: 'exists', group: found.group };
      if (found.outcome !== 'absent') return found;
      const id = random.uuid();
      const body = {
        attrs: {
          name: [name],
          uuid: [id],
          description: [`${role}s of ${tenant.replaceAll(/\p{Cc}/gu, ' ')}`],
        },
      };
      const answer = await ask(caller, { method: 'POST', path: '/v1/group', body, timeoutMs: WRITE_MS });
      if (answer.outcome === 'ok') return { outcome: 'created', group: { id, name } };
      if (answer.outcome === 'refused') return answer;
      if (answer.outcome !== 'clash') return asFailure(answer);
      // Made meanwhile; or it is no group that has the name.
      const again = await findGroup(caller, name);
      if (again.outcome === 'found') return { outcome: 'exists', group: again.group };
      return again.outcome === 'absent' ? answer : again;
    },
    addMembers: (group, ids) => changeMembers(caller, 'POST', group, ids),
    removeMembers: (group, ids) => changeMembers(caller, 'DELETE', group, ids),
  };
}
