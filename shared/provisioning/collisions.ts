import type { Directory, Field } from '../ports/directory.ts';
import type { Member, User } from './people.ts';

/** The same for texts that look alike: UTS #39 §4. */
export type Skeleton = (text: string) => string;

/** Keys that no two people may share, each a text. */
export interface Keys {
  /** Of addresses of one tenant that differ in case, or in letters that look alike. */
  readonly looks: string;
  /** Of the login name at the provider, which has no case; null where names are made unique per tenant. */
  readonly name: string | null;
}

export type KeysOf = (user: User) => Keys;

export function keysBy(directory: Pick<Directory, 'traits' | 'nameOf'>, skeleton: Skeleton): KeysOf {
  return (user) => ({
    looks: `looks ${user.tenantId} ${skeleton(folded(user.email))}`,
    name: directory.traits.unique ? `name ${loginName(directory, user)}` : null,
  });
}

/** Names have no case. */
export function loginName({ nameOf }: Pick<Directory, 'nameOf'>, user: User): string {
  const { id, email, tenantId, slug } = user;
  return nameOf({ id, mail: email, tenant: { id: tenantId, slug } }).toLowerCase();
}

/** Compared as ASCII and other letters alike are: in one form, without case. */
function folded(address: string): string {
  return address.normalize('NFKC').toLowerCase().trim();
}

/** Sets of 53-bit hashes: some 40 bytes a person, so that a million fit; who shares one is then compared in full. */
export class Repeated {
  readonly #seen = new Set<number>();
  readonly #twice = new Set<number>();

  add(key: string): void {
    const hash = hash53(key);
    if (this.#seen.has(hash)) this.#twice.add(hash);
    else this.#seen.add(hash);
  }

  has(key: string): boolean {
    return this.#twice.has(hash53(key));
  }

  get none(): boolean {
    return this.#twice.size === 0;
  }
}

/** Two 32-bit multiplicative hashes, of which 53 bits are kept. Not for secrets. */
function hash53(text: string): number {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    high = Math.imul(high ^ unit, 2654435761);
    low = Math.imul(low ^ unit, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}

/** People who share a key with another. */
export class Groups {
  readonly #groups = new Map<string, Member[]>();

  add(key: string, member: Member): void {
    const group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, [member]);
    else group.push(member);
  }

  others(key: string, { id }: User): readonly Member[] {
    return (this.#groups.get(key) ?? []).filter((member) => member.id !== id);
  }
}

/** Why a user is left out: another could be taken for them; undefined where none could. */
export function collisionOf(user: User, { looks, name }: Keys, groups: Groups): string | undefined {
  const alike = groups.others(looks, user).find((other) => looksAlike(user.email, other.email));
  if (alike !== undefined)
    return folded(alike.email) === folded(user.email)
      ? `the same address in another case: ${alike.email}`
      : `letters that look alike: ${alike.email}`;
  const [named] = name === null ? [] : groups.others(name, user);
  if (named === undefined) return undefined;
  return folded(named.email) === folded(user.email)
    ? `the same address in tenant ${named.slug}: ${named.email}`
    : `the same name at the provider as ${named.email} in tenant ${named.slug}`;
}

const ASCII = /^[\x20-\x7e]*$/;

/** Two addresses in ASCII, even with `rn` and `m`, do not count as alike: only their case is ignored. */
function looksAlike(one: string, other: string): boolean {
  return folded(one) === folded(other) || !ASCII.test(one) || !ASCII.test(other);
}

export function clashReason(fields: readonly Field[]): string {
  return `another account at the provider has the same ${fields.join(' and ')}`;
}
