import { createHash } from 'node:crypto';
import { groupNameOf } from '../../identity/tenant-groups.ts';
import type { NewPerson, TenantRole } from '../../ports/directory.ts';

/** What Kanidm takes as a name: 64 of these, of which the first is a letter. */
const LONGEST = 64;
const FOREIGN = /[^a-z0-9._-]/g;

/**
 * The login name of a person: their address, with the last `@` as `_`, which no host name has, so that it can be read back.
 * Where that is no name for Kanidm, it is made one, and gets a hash of the address at its end.
 */
export function kanidmName(mail: string): string {
  const at = mail.lastIndexOf('@');
  const plain = `${mail.slice(0, at)}_${mail.slice(at + 1)}`.toLowerCase();
  const usable = /^[a-z]/.test(plain) && plain.length <= LONGEST && plain.search(FOREIGN) === -1;
  return usable ? plain : hashed('', plain, '', mail.toLowerCase());
}

/** The seed's name of a group, or one of the same form. Kanidm's names have no case, so capitals get a hash too. */
export function kanidmGroupName(
  slug: string,
  role: TenantRole,
): { readonly name: string; readonly renamed: boolean } {
  const wanted = groupNameOf(slug, role);
  if (wanted.length <= LONGEST && wanted.search(FOREIGN) === -1) return { name: wanted, renamed: false };
  const [before = '', after = ''] = groupNameOf('\n', role).split('\n');
  return { name: hashed(before, slug.toLowerCase(), after, slug), renamed: true };
}

/** Kanidm's form of an address: that of HTML, ASCII alone. */
const MAIL =
  /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
/** Kanidm keeps these for itself, and refuses them as it refuses a lack of rights. */
const RESERVED = /^0{8}-0{4}-0{4}-0{4}-/;
export const ID_RESERVED = 'Kanidm keeps uuids that begin with 00000000-0000-0000-0000- for itself';

export function isReserved(id: string): boolean {
  return RESERVED.test(id);
}

/** Why Kanidm will not take a person. */
export function kanidmRefusal({ id, mail }: Pick<NewPerson, 'id' | 'mail'>): string | undefined {
  if (isReserved(id)) return ID_RESERVED;
  return MAIL.test(mail) ? undefined : 'Kanidm does not take this address';
}

const HASH_DIGITS = 8;

/** `before`, as much as fits of `text`, a hash of `of`, `after`. */
function hashed(before: string, text: string, after: string, of: string): string {
  const digest = createHash('sha256').update(of).digest('hex').slice(0, HASH_DIGITS);
  const usable = text.replaceAll(FOREIGN, '-');
  const first = before === '' && !/^[a-z]/.test(usable) ? `u${usable}` : usable;
  const room = LONGEST - before.length - after.length - HASH_DIGITS - 1;
  return `${before}${first.slice(0, room)}-${digest}${after}`;
}
