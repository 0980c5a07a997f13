import { randomUUID } from 'node:crypto';
import type { Creation, Directory, Failure, Group, NewPerson, Person } from '../../shared/ports/directory.ts';

interface Account {
  id: string;
  name: string;
  mail: string;
  displayName: string;
  disabled: boolean;
  hash: string | null;
}

export interface MemoryDirectory extends Directory {
  readonly accounts: Map<string, Account>;
  /** Members by the id of a group. */
  readonly members: Map<string, Set<string>>;
  /** Creations per id, over the life of the directory. */
  readonly made: Map<string, number>;
  /** Called before each call; what it returns is the answer. */
  fault: (method: string, ids: readonly string[]) => Failure | undefined | Promise<Failure | undefined>;
  /** Called after a call was carried out, before its answer. */
  after: (method: string, ids: readonly string[]) => void | Promise<void>;
  /** Ids of deleted accounts that cannot be made again. */
  readonly held: Set<string>;
  readonly calls: string[];
}

export interface MemoryOptions {
  readonly provider?: 'kanidm' | 'zitadel';
  readonly batch?: number;
  readonly concurrency?: number;
  readonly holds?: boolean;
}

/** A provider in memory, with the promises of the port. */
export function memoryDirectory(options: MemoryOptions = {}): MemoryDirectory {
  const { provider = 'kanidm', batch = 5, concurrency = 2, holds = false } = options;
  const unique = provider === 'kanidm';
  const accounts = new Map<string, Account>();
  const members = new Map<string, Set<string>>();
  const groups = new Map<string, Group>();
  const made = new Map<string, number>();
  const held = new Set<string>();
  const calls: string[] = [];
  const nameOf: Directory['nameOf'] = ({ mail, tenant }) =>
    unique ? mail.toLowerCase().replace(/@(?=[^@]*$)/, '_') : `${tenant.slug}_${mail}`.toLowerCase();
  const toPerson = ({ id, name, mail, displayName, disabled }: Account): Person => ({
    id,
    name,
    displayName,
    mail,
    state: disabled ? 'disabled' : 'active',
    groups: [...members].filter(([, ids]) => ids.has(id)).map(([group]) => group),
    origin: 'local',
  });
  const create = (person: NewPerson): Creation => {
    const { id, mail, displayName, passwordHash = null } = person;
    const there = accounts.get(id);
    if (there !== undefined) return { outcome: 'exists', person: toPerson(there) };
    if (held.has(id)) return { outcome: 'held', until: null };
    const name = nameOf(person);
    const others = [...accounts.values()];
    const fields = [
      ...(unique && others.some((other) => other.mail === mail) ? ['mail' as const] : []),
      ...(others.some((other) => other.name === name) ? ['name' as const] : []),
    ];
    if (fields.length > 0) return { outcome: 'clash', fields };
    accounts.set(id, { id, name, mail, displayName, disabled: false, hash: passwordHash });
    made.set(id, (made.get(id) ?? 0) + 1);
    return { outcome: 'created', name, password: passwordHash === null ? 'none' : 'taken' };
  };
  const self: MemoryDirectory = {
    accounts,
    members,
    made,
    held,
    calls,
    fault: () => undefined,
    after: () => undefined,
    traits: {
      provider,
      mode: provider === 'kanidm' ? 'local' : 'organisations',
      issuer: `https://${provider}.example.org`,
      unique,
      passwords: provider === 'zitadel' ? 'hash' : 'none',
      batch,
      concurrency,
      lagMs: 0,
      heldSeconds: holds ? 604_800 : 0,
    },
    nameOf,
    refusalOf: ({ mail }) =>
      /^[^\s@]+@[^\s@]+$/.test(mail) ? undefined : 'the provider does not take this address',
    rights: async () =>
      (await before('rights', [])) ?? {
        outcome: 'rights',
        revives: !holds,
        missing: [],
        warnings: [],
      },
    async create(people) {
      const ids = people.map(({ id }) => id);
      const failure = await before('create', ids);
      if (failure !== undefined) return people.map(() => failure);
      const results = people.map(create);
      await self.after('create', ids);
      return results;
    },
    find: (ids) =>
      calling('find', ids, () => ({
        outcome: 'found' as const,
        people: ids.flatMap((id) => accounts.get(id) ?? []).map(toPerson),
      })),
    list: (_tenant, from) =>
      calling('list', [], () => {
        const start = Number(from ?? 0);
        const people = [...accounts.values()].slice(start, start + 7).map(toPerson);
        const next = start + 7 < accounts.size ? String(start + 7) : null;
        return { outcome: 'page' as const, people, next };
      }),
    update: (id, { mail, displayName }) =>
      calling('update', [id], () => {
        const account = accounts.get(id);
        if (account === undefined) return { outcome: 'absent' as const };
        if (mail !== undefined) account.mail = mail.address;
        if (displayName !== undefined) account.displayName = displayName;
        return { outcome: 'done' as const, passwordDropped: false };
      }),
    disable: (id) => calling('disable', [id], () => setDisabled(id, true)),
    enable: (id) => calling('enable', [id], () => setDisabled(id, false)),
    delete: (id) =>
      calling('delete', [id], () => {
        if (!accounts.delete(id)) return { outcome: 'absent' as const };
        for (const ids of members.values()) ids.delete(id);
        if (holds) held.add(id);
        return { outcome: 'deleted' as const };
      }),
    groupName: ({ slug }, role) => ({
      name: `tenant_${slug}_${role === 'admin' ? 'admins' : 'users'}`,
      renamed: false,
    }),
    findGroup: (tenant, role) =>
      calling('findGroup', [], () => {
        const group = groups.get(self.groupName(tenant, role).name);
        return group === undefined ? { outcome: 'absent' as const } : { outcome: 'found' as const, group };
      }),
    ensureGroup: (tenant, role) =>
      calling('ensureGroup', [], () => {
        const { name } = self.groupName(tenant, role);
        const there = groups.get(name);
        if (there !== undefined) return { outcome: 'exists' as const, group: there };
        const group = { id: randomUUID(), name };
        groups.set(name, group);
        members.set(group.id, new Set());
        return { outcome: 'created' as const, group };
      }),
    addMembers: (group, ids) =>
      calling('addMembers', ids, () => {
        const there = members.get(group.id);
        if (there === undefined) return { outcome: 'no-group' as const };
        const absent = ids.filter((id) => !accounts.has(id));
        for (const id of ids) if (accounts.has(id)) there.add(id);
        return { outcome: 'done' as const, absent };
      }),
    removeMembers: (group, ids) =>
      calling('removeMembers', ids, () => {
        const there = members.get(group.id);
        if (there === undefined) return { outcome: 'no-group' as const };
        for (const id of ids) there.delete(id);
        return { outcome: 'done' as const, absent: [] };
      }),
    invite: async () => ({ outcome: 'absent' }),
    credentials: async () => ({ outcome: 'known', kinds: [] }),
    carryPassword: async () => ({ outcome: 'absent' }),
  };
  const setDisabled = (id: string, disabled: boolean) => {
    const account = accounts.get(id);
    if (account === undefined) return { outcome: 'absent' as const };
    account.disabled = disabled;
    return { outcome: 'done' as const, passwordDropped: false };
  };
  const before = (method: string, ids: readonly string[]) => {
    calls.push(method);
    return self.fault(method, ids);
  };
  const calling = async <T>(method: string, ids: readonly string[], work: () => T): Promise<T | Failure> => {
    const failure = await before(method, ids);
    if (failure !== undefined) return failure;
    const result = work();
    await self.after(method, ids);
    return result;
  };
  return self;
}
