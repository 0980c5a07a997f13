import { createHash } from 'node:crypto';

/** The password of all people of the legacy application. */
export const LEGACY_PASSWORD = 'sesame-open-the-gate';

/** bcrypt of it, made once: computing 500 would take half a minute of each start. Cost 10 is the least that Zitadel takes. */
const HASHES = [
  '$2b$10$ULJa2owpPK0jK6bouurdGeVBAx2.15.8dkIN535YWuoVe04Y1OnUS',
  '$2a$10$Gyz47gvduT9UTgezm93PK.QA51VQ1mTlLH7I8P7Ktz0DmbtyjIJs.',
  '$2b$10$tTwSGUgFb2lEJmekHyR2k.QaRZl/wMu6ULh/R6/ABZVIPXR0H9NC6',
] as const;
/** As PHP writes them. */
const HASH_OF_PHP = '$2y$10$Wj.NbdeLvDN44g5bgiC70uFCpL27wQwQUC3Eh/mC9jgODEzd94iSu';
/** Of a bcrypt with a fault: no password fits it. */
const HASH_OF_FAULTY = HASH_OF_PHP.replace('$2y$', '$2x$');

export interface LegacyTenant {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  /** Where addresses of its people are. */
  readonly domain: string;
  /** How many people it has, special ones included. */
  readonly people: number;
}

export interface LegacyPerson {
  readonly id: string;
  readonly tenantId: string;
  readonly email: string;
  readonly fullName: string;
  readonly hash: string;
  readonly role: 'admin' | 'manager' | 'user' | 'viewer';
  readonly status: 'active' | 'inactive' | 'suspended';
  readonly deleted: boolean;
  /** Of the last sign-in; null: never. */
  readonly daysAgo: number | null;
  /** An account that was linked before. */
  readonly account: string | null;
  /** Why a run makes no account. */
  readonly leftOut: 'collision' | 'refused' | 'skipped' | null;
  /** It does at Zitadel, where addresses need not be unique, nor ASCII. */
  readonly onlyAtKanidm: boolean;
}

/** The same at each start, so that what is written down of one person stays true. */
function idOf(name: string): string {
  const hex = createHash('sha256').update(`legacy ${name}`).digest('hex');
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-a$4-$5');
}

const tenant = (slug: string, name: string, domain: string, people: number): LegacyTenant => ({
  ...{ id: idOf(slug), slug, name, domain, people },
});

const ACME = tenant('acme', 'Acme', 'example.org', 260);
const BIRCH = tenant('birch', 'Birch', 'example.net', 160);
const CEDAR = tenant('cedar', 'Cedar', 'example.com', 80);
export const LEGACY_TENANTS: readonly LegacyTenant[] = [ACME, BIRCH, CEDAR];

function person(of: LegacyTenant, local: string, rest: Partial<LegacyPerson> = {}): LegacyPerson {
  const email = rest.email ?? `${local}@${of.domain}`;
  return {
    ...{ id: idOf(`${of.slug} ${email}`), tenantId: of.id, email, fullName: titled(local), hash: HASHES[0] },
    ...{
      role: 'user',
      status: 'active',
      deleted: false,
      daysAgo: 3,
      account: null,
      leftOut: null,
      onlyAtKanidm: false,
    },
    ...rest,
  };
}

function titled(local: string): string {
  const [, name = '', number = ''] = /^(\p{L}+)(\d*)$/u.exec(local) ?? [];
  return `${name.slice(0, 1).toUpperCase()}${name.slice(1)} ${number}`.trim();
}

/** The person of the printed lines. */
export const GRACE = person(ACME, 'grace');

/** One person or two of each kind that a migration treats apart. */
export const SPECIAL: readonly LegacyPerson[] = [
  GRACE,
  person(ACME, 'heidi', { role: 'admin' }),
  person(BIRCH, 'ivan', { role: 'admin' }),
  person(ACME, 'peggy', { hash: HASH_OF_PHP }),
  person(ACME, 'rupert', { hash: HASH_OF_FAULTY }),
  person(CEDAR, 'judy', { hash: 'imported' }),
  // One address in two cases, and in letters of two alphabets.
  person(ACME, 'bob', { leftOut: 'collision' }),
  person(ACME, 'Bob', { leftOut: 'collision' }),
  person(ACME, 'alice', { leftOut: 'collision' }),
  person(ACME, '\u0430lice', { leftOut: 'collision' }),
  // One person of two tenants: addresses are unique at Kanidm.
  person(ACME, 'victor', { leftOut: 'collision', onlyAtKanidm: true }),
  person(BIRCH, 'victor', { email: 'victor@example.org', leftOut: 'collision', onlyAtKanidm: true }),
  person(CEDAR, 'm\u00fcller', { leftOut: 'refused', onlyAtKanidm: true }),
  person(ACME, 'trent', { status: 'suspended', leftOut: 'skipped' }),
  person(BIRCH, 'mallory', { deleted: true, leftOut: 'skipped' }),
  // Linked by an earlier experiment, to an account of another id: signs in by the provider alone.
  person(ACME, 'olivia', { account: idOf('account of olivia'), leftOut: 'skipped' }),
  person(CEDAR, 'walter', { daysAgo: 400 }),
  person(CEDAR, 'sybil', { daysAgo: null }),
];

const NAMES = [
  ...['alice', 'bob', 'carol', 'dana', 'erin', 'frank', 'grace', 'heidi', 'ivan', 'judy'],
  ...['mallory', 'niaj', 'olivia', 'peggy', 'rupert', 'sybil', 'trent', 'victor', 'walter', 'wendy'],
] as const;

/** All 500 people, the same at each start. */
export const LEGACY_PEOPLE: readonly LegacyPerson[] = LEGACY_TENANTS.flatMap((of) => {
  const special = SPECIAL.filter(({ tenantId }) => tenantId === of.id);
  const others = Array.from({ length: of.people - special.length }, (_, index) => ordinary(of, index));
  return [...special, ...others];
});

/** One in 25 administers; one in eight has not been here for half a year or more, one in 40 never. */
function ordinary(of: LegacyTenant, index: number): LegacyPerson {
  const number = Math.floor(index / NAMES.length) + 1;
  const daysAgo = index % 40 === 39 ? null : index % 8 === 7 ? 180 + index : index % 60;
  return person(of, `${NAMES[index % NAMES.length] ?? ''}${number}`, {
    hash: HASHES[index % HASHES.length] ?? HASHES[0],
    role: index % 25 === 0 ? 'admin' : index % 25 < 3 ? 'manager' : 'user',
    daysAgo,
  });
}

/** How many accounts a run for all people makes. */
export function newAccounts(provider: 'kanidm' | 'zitadel'): number {
  const made = LEGACY_PEOPLE.filter(
    ({ leftOut, onlyAtKanidm }) => leftOut === null || (onlyAtKanidm && provider === 'zitadel'),
  );
  return made.length;
}
