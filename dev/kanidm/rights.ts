import { randomBytes, randomUUID } from 'node:crypto';
import { denied, notSignedIn } from './faults.ts';
import type { Entry, Store } from './store.ts';

/** Groups of Kanidm that rights come with. */
export const RIGHTS = [
  'idm_people_admins',
  'idm_people_on_boarding',
  'idm_people_pii_read',
  'idm_service_desk',
  'idm_group_admins',
  'idm_recycle_bin_admins',
  'idm_admins',
] as const;
export type Right = (typeof RIGHTS)[number];

/** Further entries of a new server, whose names are taken. */
const OTHERS = ['idm_high_privilege', 'idm_people_self_mail_write'];
const FIXED = {
  idm_all_persons: '00000000-0000-0000-0000-000000000035',
  idm_all_accounts: '00000000-0000-0000-0000-000000000036',
  idm_people_self_name_write: '00000000-0000-0000-0000-000000000048',
} as const;
const ACCOUNTS = ['admin', 'idm_admin'];

/** Groups and accounts of a new server. */
export function furnish(store: Store): void {
  for (const name of [...RIGHTS, ...OTHERS]) store.create([{ kind: 'group', name, builtin: true }]);
  for (const [name, uuid] of Object.entries(FIXED))
    store.create([{ kind: 'group', name, uuid, builtin: true }]);
  for (const name of ACCOUNTS) store.create([{ kind: 'service', name, builtin: true }]);
  const [persons, rename] = [store.find('idm_all_persons'), store.find('idm_people_self_name_write')];
  if (persons && rename) store.join(rename, [persons.uuid]);
}

/** Every person and account is in these, the built-in ones excepted. */
export function enrol(store: Store, entries: readonly Entry[]): void {
  for (const { kind, uuid } of entries) {
    for (const name of kind === 'person' ? ['idm_all_persons', 'idm_all_accounts'] : ['idm_all_accounts']) {
      const group = store.find(name);
      if (group !== undefined && kind !== 'group') store.join(group, [uuid]);
    }
  }
}

interface Token {
  readonly account: Entry;
  readonly mayWrite: boolean;
}

export interface Actor extends Token {
  has(...rights: readonly Right[]): boolean;
}

/** API tokens of service accounts. */
export class Tokens {
  readonly #store: Store;
  readonly #tokens = new Map<string, Token>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** A token in the form of Kanidm's, whose claims name its purpose. */
  make(account: Entry, mayWrite: boolean): string {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const purpose = mayWrite ? 'readwrite' : 'readonly';
    const claims = { account_id: account.uuid, token_id: randomUUID(), label: 'stand-in', purpose };
    const token = [
      part({ alg: 'ES256', typ: 'JWT' }),
      part(claims),
      randomBytes(64).toString('base64url'),
    ].join('.');
    this.#tokens.set(token, { account, mayWrite });
    return token;
  }

  /** Throws where the header names no living token. */
  actor(authorization: string | undefined): Actor {
    const token = this.#tokens.get(/^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? '');
    if (token === undefined) throw notSignedIn();
    const groups = new Set(this.#store.groupsOf(token.account).map(({ name }) => name));
    return { ...token, has: (...rights) => rights.some((right) => groups.has(right)) };
  }
}

/** Whether people are seen at all, and whether with what only some may read. */
export function sight(actor: Actor): 'nothing' | 'names' | 'all' {
  if (actor.has('idm_people_admins', 'idm_people_pii_read')) return 'all';
  return actor.has('idm_people_on_boarding', 'idm_service_desk') ? 'names' : 'nothing';
}

export function mustWrite({ mayWrite }: Actor): void {
  if (!mayWrite) throw denied();
}
