import type { Directory } from '../../ports/directory.ts';
import { ask, asFailure, WRITE_MS, type Asked, type ZitadelParts } from './client.ts';
import { emailOf, isNameTaken, profileOf, tenantName } from './create.ts';
import { refusalOf } from './faults.ts';
import { pathOf, userOf, type ZitadelPerson } from './user.ts';

type Updated = Awaited<ReturnType<Directory['update']>>;

const DONE = { outcome: 'done', passwordDropped: false } as const;
const INACTIVE_ALREADY = 'COMMAND-5gunjw0cd7';

export function zitadelChanges(
  parts: ZitadelParts,
): Pick<Directory, 'update' | 'disable' | 'enable' | 'delete'> {
  const { caller } = parts;
  const command = (id: string, name: string): Promise<Asked> =>
    ask(caller, { method: 'POST', path: `${pathOf(id)}/${name}`, body: {}, timeoutMs: WRITE_MS });
  return {
    update: (id, changes) => update(parts, id, changes),
    async disable(id) {
      const asked = await command(id, 'deactivate');
      if (asked.outcome === 'ok') return DONE;
      if (asked.outcome !== 'fault') return asked;
      if (asked.id === INACTIVE_ALREADY) return DONE;
      return asked.status === 404 ? { outcome: 'absent' } : asFailure(asked);
    },
    async enable(id) {
      const found = await userOf(parts, id);
      if (found.outcome === 'machine') return { outcome: 'absent' };
      if (found.outcome !== 'person') return found;
      const { state, locked } = found.person;
      if (state === 'active') return DONE;
      const asked = await command(id, locked ? 'unlock' : 'reactivate');
      return asked.outcome === 'ok' ? DONE : asFailure(asked);
    },
    async delete(id) {
      const asked = await ask(caller, { method: 'DELETE', path: pathOf(id), timeoutMs: WRITE_MS });
      if (asked.outcome === 'ok') {
        parts.written.note(id, null);
        return { outcome: 'deleted' };
      }
      if (asked.outcome !== 'fault') return asked;
      return asked.status === 404 ? { outcome: 'absent' } : asFailure(asked);
    },
  };
}

/** A name that was the address goes with it, so that the person signs in by what they know. */
async function update(
  parts: ZitadelParts,
  id: string,
  { mail, displayName }: Parameters<Directory['update']>[1],
): Promise<Updated> {
  const found = await userOf(parts, id);
  if (found.outcome === 'machine') return { outcome: 'absent' };
  if (found.outcome !== 'person') return found;
  const human = {
    ...(mail && { email: emailOf(mail.address, mail.verified) }),
    ...(displayName !== undefined && {
      profile: profileOf(displayName, mail?.address ?? found.person.mail ?? id),
    }),
  };
  const names = mail === undefined ? [] : namesAfter(found.person, mail.address);
  for (const name of [...names, null]) {
    const body = { ...(name !== null && { username: name }), human };
    const asked = await ask(parts.caller, {
      method: 'PATCH',
      path: pathOf(id),
      body,
      timeoutMs: WRITE_MS,
    });
    if (asked.outcome === 'ok') return DONE;
    if (asked.outcome !== 'fault') return asked;
    if (!isNameTaken(asked)) return refusalOf(asked) ?? asFailure(asked);
  }
  return { outcome: 'clash', fields: ['name'] };
}

/** Names to try, in turn; none where the name has nothing of the address. */
function namesAfter({ name, mail }: ZitadelPerson, address: string): readonly string[] {
  if (mail === null || address === mail) return [];
  if (name === mail) return [address];
  const slug = name.endsWith(`/${mail}`) ? name.slice(0, -mail.length - 1) : undefined;
  return slug === undefined ? [] : [tenantName({ slug }, address)];
}
