import type { Changed, Directory, Failure, Person } from '../../ports/directory.ts';
import type { Clock, Random } from '../../ports/runtime.ts';
import type { Caller } from '../provider-call.ts';
import { ask, asFailure, WRITE_MS, type KanidmFault } from './client.ts';
import { importable } from './password.ts';
import { findPerson } from './people.ts';
import { entryOf, EXPIRED, type Sync, type SyncEntry } from './sync.ts';

export interface ChangeParts {
  readonly caller: Caller;
  readonly clock: Clock;
  readonly random: Random;
  /** Null: no person is synced, so whose they are is not looked up. */
  readonly sync: Sync | null;
}

/** The same change by either way. */
interface Change {
  readonly synced: (entry: SyncEntry) => SyncEntry;
  readonly local: Pick<Parameters<Caller>[0], 'method' | 'path' | 'body'>;
}

type Owner =
  | { readonly outcome: 'local' }
  | { readonly outcome: 'synced'; readonly by: Sync; readonly person: Person }
  | { readonly outcome: 'absent' }
  | Failure;

async function ownerOf({ caller, clock, sync }: ChangeParts, id: string): Promise<Owner> {
  if (sync === null) return { outcome: 'local' };
  const found = await findPerson(caller, id, clock);
  if (found.outcome !== 'person') return found;
  const { person } = found;
  return person.origin === 'sync' ? { outcome: 'synced', by: sync, person } : { outcome: 'local' };
}

async function change(
  parts: ChangeParts,
  id: string,
  { synced, local }: Change,
): Promise<Changed | KanidmFault> {
  const owner = await ownerOf(parts, id);
  if (owner.outcome === 'local') {
    const answer = await ask(parts.caller, { ...local, timeoutMs: WRITE_MS });
    return answer.outcome === 'ok' ? { outcome: 'done', passwordDropped: false } : answer;
  }
  if (owner.outcome !== 'synced') return owner;
  const answer = await owner.by.write([synced(entryOf(owner.person))]);
  return answer.outcome === 'ok' ? { outcome: 'done', passwordDropped: true } : answer;
}

export function pathOf(id: string): string {
  return `/v1/person/${encodeURIComponent(id)}`;
}

const ONLY_SYNCED =
  'Kanidm imports passwords of synced people alone, from the plain text: KANIDM_SYNC_TOKEN turns that on';

/** What a person is to become, by whichever way owns them. */
export function kanidmChanges(
  parts: ChangeParts,
): Pick<Directory, 'update' | 'disable' | 'enable' | 'delete' | 'carryPassword'> {
  const expiry = (id: string): string => `${pathOf(id)}/_attr/account_expire`;
  const expire = async (id: string, disabled: boolean, local: Change['local']) => {
    const result = await change(parts, id, { synced: (entry) => ({ ...entry, disabled }), local });
    return result.outcome === 'done' || result.outcome === 'absent' ? result : asFailure(result);
  };
  return {
    async update(id, { mail, displayName }) {
      const attrs = {
        ...(mail && { mail: [mail.address] }),
        ...(displayName !== undefined && { displayname: [displayName] }),
      };
      const result = await change(parts, id, {
        local: { method: 'PATCH', path: pathOf(id), body: { attrs } },
        synced: (entry) => ({
          ...entry,
          mail: mail?.address ?? entry.mail,
          displayName: displayName ?? entry.displayName,
        }),
      });
      const { outcome } = result;
      return outcome === 'done' || outcome === 'absent' || outcome === 'clash' || outcome === 'refused'
        ? result
        : asFailure(result);
    },
    disable: (id) => expire(id, true, { method: 'PUT', path: expiry(id), body: [EXPIRED] }),
    enable: (id) => expire(id, false, { method: 'DELETE', path: expiry(id) }),
    delete: (id) => remove(parts, id),
    async carryPassword(id, password) {
      const owner = await ownerOf(parts, id);
      if (owner.outcome === 'local' || !('plain' in password))
        return { outcome: 'refused', field: 'password', reason: ONLY_SYNCED };
      if (owner.outcome !== 'synced') return owner;
      const entry = entryOf(owner.person);
      const answer = await owner.by.write([
        { ...entry, password: await importable(password.plain, parts.random) },
      ]);
      if (answer.outcome === 'ok') return { outcome: 'carried' };
      return answer.outcome === 'refused' ? answer : asFailure(answer);
    },
  };
}

async function remove(parts: ChangeParts, id: string): ReturnType<Directory['delete']> {
  const owner = await ownerOf(parts, id);
  if (owner.outcome !== 'local' && owner.outcome !== 'synced') return owner;
  const answer =
    owner.outcome === 'synced'
      ? await owner.by.remove([id])
      : await ask(parts.caller, { method: 'DELETE', path: pathOf(id), timeoutMs: WRITE_MS });
  if (answer.outcome === 'ok') return { outcome: 'deleted' };
  return answer.outcome === 'absent' ? { outcome: 'absent' } : asFailure(answer);
}
