import type { Creation, NewPerson } from '../../ports/directory.ts';
import {
  ask,
  asFailure,
  organizationOf,
  WRITE_MS,
  type Asked,
  type ZitadelFault,
  type ZitadelParts,
} from './client.ts';
import { refusalOf } from './faults.ts';
import { userOf } from './user.ts';

/** bcrypt of the costs that Zitadel takes, from 10 to 16. It refuses `$2x$`, whose hashes are of a faulty implementation. */
const HASH = /^\$2[aby]\$1[0-6]\$[./A-Za-z0-9]{53}$/;

/** Names are unique over all organisations, unless a domain policy keeps them apart. */
export function tenantName({ slug }: { readonly slug: string }, mail: string): string {
  return `${slug}/${mail}`;
}

/** Given and family name; Zitadel wants both. */
export function profileOf(displayName: string, mail: string) {
  const shown = (displayName.trim() || mail).slice(0, LONGEST_NAME);
  const words = shown.split(/\s+/);
  const familyName = words.length > 1 ? (words.at(-1) ?? '-') : '-';
  const givenName = words.length > 1 ? words.slice(0, -1).join(' ') : shown;
  return { givenName, familyName, displayName: shown };
}

const LONGEST_NAME = 200;

/** For an unverified address the code is requested and dropped, because otherwise Zitadel sends it by mail. */
export function emailOf(email: string, verified: boolean) {
  return verified ? { email, isVerified: true } : { email, returnCode: {} };
}

/** One attempt; `name` and `hash` change between attempts. */
async function attempt(
  { caller, config }: ZitadelParts,
  person: NewPerson,
  name: string,
  hash: string | null,
): Promise<Asked> {
  const { id, mail, mailVerified, displayName, tenant } = person;
  const body = {
    organizationId: organizationOf(config, tenant.id),
    userId: id,
    username: name,
    human: {
      profile: profileOf(displayName, mail),
      email: emailOf(mail, mailVerified),
      ...(hash !== null && { hashedPassword: { hash, changeRequired: false } }),
    },
  };
  const secrets = hash === null ? [] : [hash];
  return ask(caller, { method: 'POST', path: '/v2/users/new', body, secrets, timeoutMs: WRITE_MS });
}

/** Under the address as name, else, where another tenant's user has that, under one of the tenant's own. */
export async function createPerson(parts: ZitadelParts, person: NewPerson): Promise<Creation> {
  const given = person.passwordHash ?? null;
  let hash = given !== null && HASH.test(given) ? given : null;
  let name = person.mail;
  for (;;) {
    const asked = await attempt(parts, person, name, hash);
    if (asked.outcome === 'ok') return created(name, given, hash);
    if (asked.outcome !== 'fault') return asked;
    if (isOfHash(asked) && hash !== null) hash = null;
    else if (isNameTaken(asked) && name === person.mail) name = tenantName(person.tenant, person.mail);
    else if (isNameTaken(asked)) return { outcome: 'clash', fields: ['name'] };
    else if (asked.id === ID_TAKEN) return existing(parts, person);
    else return refusalOf(asked) ?? asFailure(asked);
  }
}

function created(name: string, given: string | null, hash: string | null): Creation {
  const password = hash !== null ? 'taken' : given === null ? 'none' : 'refused';
  return { outcome: 'created', name, password };
}

const ID_TAKEN = 'COMMAND-7yiox1isql';

function isOfHash({ status, id }: ZitadelFault): boolean {
  return status === 400 && id.startsWith('CRYPT-');
}

export function isNameTaken({ status, id }: ZitadelFault): boolean {
  return status === 409 && id === 'V3-DKcYh';
}

/** With this very id; in another tenant's organisation it is not the same person. */
async function existing(parts: ZitadelParts, { id, tenant }: NewPerson): Promise<Creation> {
  const found = await userOf(parts, id);
  if (found.outcome === 'machine') return { outcome: 'clash', fields: ['id'] };
  if (found.outcome === 'absent')
    return { outcome: 'busy', reason: 'the account is not readable yet', retryAfterSeconds: null };
  if (found.outcome !== 'person') return found;
  const { person } = found;
  const elsewhere = person.organization !== organizationOf(parts.config, tenant.id);
  return elsewhere ? { outcome: 'clash', fields: ['id', 'tenant'] } : { outcome: 'exists', person };
}
