import { randomUUID } from 'node:crypto';
import { KanidmRefused, memberUnknown, noEntry, uuidTaken } from './faults.ts';
import type { StoredPassword } from './passwords.ts';

export interface Entry {
  readonly uuid: string;
  readonly kind: 'person' | 'group' | 'service';
  name: string;
  displayname: string;
  mail: readonly string[];
  description: string | undefined;
  /** RFC 3339. */
  expire: string | undefined;
  validFrom: string | undefined;
  password: StoredPassword | undefined;
  /** Name of the sync account that owns it. */
  syncedBy: string | undefined;
  readonly builtin: boolean;
  /** Of a group, by uuid. */
  readonly members: Set<string>;
  /** Groups that have it as a member of their own. */
  readonly memberOf: Set<string>;
  /** Milliseconds since the epoch. */
  modified: number;
}

export type Values = Partial<
  Pick<Entry, 'displayname' | 'mail' | 'description' | 'expire' | 'validFrom' | 'password' | 'syncedBy'>
>;
export type NewEntry = Pick<Entry, 'kind' | 'name'> &
  Values & { readonly uuid?: string; readonly builtin?: boolean };

const DOMAIN = 'localhost';
const RECYCLED_MS = 7 * 86_400_000;

/** Everything that Kanidm keeps, with its rules: unique names, mails and uuids, a recycle bin, members that exist. */
export class Store {
  readonly #now: () => number;
  readonly #byUuid = new Map<string, Entry>();
  /** Without regard to case: names of Kanidm have none. */
  readonly #byName = new Map<string, Entry>();
  /** With regard to case. */
  readonly #byMail = new Map<string, Entry>();
  readonly #recycled = new Map<string, Entry>();
  readonly #serverId = randomUUID();

  constructor(now: () => number) {
    this.#now = now;
  }

  spn({ name }: Pick<Entry, 'name'>): string {
    return `${name}@${DOMAIN}`;
  }

  changeId({ modified }: Entry): string {
    return `${String(BigInt(modified) * 1_000_000n).padStart(32, '0')}-${this.#serverId}`;
  }

  entries(kind: Entry['kind']): Entry[] {
    return [...this.#byUuid.values()].filter((entry) => entry.kind === kind);
  }

  /** By uuid, name or spn. */
  find(id: string): Entry | undefined {
    const name = id.toLowerCase();
    return (
      this.#byUuid.get(name) ??
      this.#byName.get(name.endsWith(`@${DOMAIN}`) ? (name.split('@')[0] ?? '') : name)
    );
  }

  /** All or none. */
  create(all: readonly NewEntry[]): readonly Entry[] {
    const made: Entry[] = [];
    try {
      for (const one of all) made.push(this.#add(one));
      return made;
    } catch (error) {
      for (const entry of made) this.#drop(entry);
      throw error;
    }
  }

  #add({ uuid = randomUUID(), kind, name, builtin = false, ...values }: NewEntry): Entry {
    if (this.#byUuid.has(uuid) || this.recycled(uuid) !== undefined) throw uuidTaken();
    const { mail = [], displayname = name, description, expire, validFrom, password, syncedBy } = values;
    this.#mustBeFree(name, mail);
    const entry: Entry = {
      ...{ uuid, kind, name: name.toLowerCase(), displayname, mail: [...new Set(mail)], description },
      ...{ expire, validFrom, password, syncedBy, builtin, modified: this.#now() },
      members: new Set(),
      memberOf: new Set(),
    };
    this.#put(entry);
    return entry;
  }

  #mustBeFree(name: string | undefined, mail: readonly string[], own?: Entry): void {
    const taken = (other: Entry | undefined): boolean => other !== undefined && other !== own;
    const conflicting = [
      ...(mail.some((each) => taken(this.#byMail.get(each))) ? ['mail'] : []),
      ...(name !== undefined && taken(this.#byName.get(name.toLowerCase())) ? ['name', 'spn'] : []),
    ];
    if (conflicting.length === 0) return;
    const error = 'Attribute uniqueness error';
    throw new KanidmRefused(409, { conflicting_attributes: conflicting, error });
  }

  #put(entry: Entry): void {
    this.#byUuid.set(entry.uuid, entry);
    this.#byName.set(entry.name, entry);
    for (const mail of entry.mail) this.#byMail.set(mail, entry);
  }

  #drop(entry: Entry): void {
    this.#byUuid.delete(entry.uuid);
    this.#byName.delete(entry.name);
    for (const mail of entry.mail) this.#byMail.delete(mail);
  }

  modify(entry: Entry, { name, ...values }: Values & { readonly name?: string }): void {
    this.#mustBeFree(name, values.mail ?? [], entry);
    this.#byName.delete(entry.name);
    for (const mail of entry.mail) this.#byMail.delete(mail);
    Object.assign(entry, values, {
      modified: this.#now(),
      ...(name !== undefined && { name: name.toLowerCase() }),
      ...(values.mail && { mail: [...new Set(values.mail)] }),
    });
    this.#put(entry);
  }

  /** As if it had never been. */
  forget(entry: Entry): void {
    this.#drop(entry);
    for (const group of entry.memberOf) this.#byUuid.get(group)?.members.delete(entry.uuid);
  }

  /** Into the recycle bin, out of its groups. */
  remove(entry: Entry): void {
    this.forget(entry);
    entry.modified = this.#now();
    this.#recycled.set(entry.uuid, entry);
  }

  recycled(uuid: string): Entry | undefined {
    const entry = this.#recycled.get(uuid);
    if (entry === undefined || entry.modified + RECYCLED_MS > this.#now()) return entry;
    this.#recycled.delete(uuid);
    return undefined;
  }

  allRecycled(): Entry[] {
    return [...this.#recycled.keys()].flatMap((uuid) => this.recycled(uuid) ?? []);
  }

  /** Back as it was, in the groups that are still there. */
  revive(uuid: string): void {
    const entry = this.recycled(uuid);
    if (entry === undefined) throw noEntry();
    this.#mustBeFree(entry.name, entry.mail);
    this.#recycled.delete(uuid);
    this.#put(entry);
    for (const id of entry.memberOf) {
      const group = this.#byUuid.get(id);
      if (group === undefined) entry.memberOf.delete(id);
      else group.members.add(uuid);
    }
  }

  /** All or none. */
  join(group: Entry, ids: readonly string[]): void {
    const members = ids.map((id) => this.find(id));
    if (members.includes(undefined)) throw memberUnknown();
    for (const member of members) {
      if (member === undefined) continue;
      group.members.add(member.uuid);
      member.memberOf.add(group.uuid);
    }
  }

  leave(group: Entry, ids: readonly string[]): void {
    for (const id of ids) {
      const member = this.find(id);
      if (member === undefined) continue;
      group.members.delete(member.uuid);
      member.memberOf.delete(group.uuid);
    }
  }

  /** Groups of an entry, its own first; then those of its groups. */
  groupsOf(entry: Entry, direct = false): Entry[] {
    const found = new Set<Entry>();
    const add = (ids: Iterable<string>): Entry[] =>
      [...ids].flatMap((id) => {
        const group = this.#byUuid.get(id);
        if (group === undefined || found.has(group)) return [];
        found.add(group);
        return [group];
      });
    let next = add(entry.memberOf);
    while (!direct && next.length > 0) next = next.flatMap((group) => add(group.memberOf));
    return [...found];
  }
}
