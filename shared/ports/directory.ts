/** A provider's directory of people: what provisioning, invitations and the lazy door need of Kanidm and of Zitadel alike. */

export type ProviderName = 'kanidm' | 'zitadel';
export type TenantRole = 'member' | 'admin';

export interface DirectoryTenant {
  /** tenants.tenant_id. */
  readonly id: string;
  readonly slug: string;
  readonly name: string;
}

export interface NewPerson {
  /** users.user_id, which becomes the account's own id. */
  readonly id: string;
  readonly mail: string;
  /** False: whoever reads that mail has not been proven to be the person, so the provider must not take it for verified. */
  readonly mailVerified: boolean;
  /** Where it is blank, the address stands in for it. */
  readonly displayName: string;
  readonly tenant: Pick<DirectoryTenant, 'id' | 'slug'>;
  /** As users.password_hash; used where `traits.passwords` is `hash`. */
  readonly passwordHash?: string | null;
}

/** An account as the provider shows it; null: not readable with these rights. */
export interface Person {
  readonly id: string;
  /** What is typed at the provider's sign-in page. People may change it themselves, so a difference is no fault. */
  readonly name: string;
  readonly displayName: string | null;
  readonly mail: string | null;
  readonly state: 'active' | 'disabled';
  /** Ids as in kanidm_tenant_groups.kanidm_group_uuid, further groups of the provider included. */
  readonly groups: readonly string[];
  /** `sync`: owned by a SCIM sync account, so read-only for everything else. */
  readonly origin: 'local' | 'sync';
}

export interface Group {
  /** A uuid: the provider's, else a uuid v5 of issuer, organisation and role. */
  readonly id: string;
  readonly name: string;
  /** True: the provider keeps nothing of it, so no person lists it; users.role alone decides. */
  readonly virtual?: boolean;
}

/** No result. `away`, `busy`: nothing was done. `slow`: unknown, so read before repeating. The provider's own reason, without secrets. */
export type Failure =
  | { readonly outcome: 'away'; readonly reason: string }
  | { readonly outcome: 'slow'; readonly reason: string }
  | { readonly outcome: 'failed'; readonly reason: string }
  | { readonly outcome: 'busy'; readonly reason: string; readonly retryAfterSeconds: number | null }
  /** The token is not accepted or lacks a right. `remedy`: the command or step that mends it. */
  | { readonly outcome: 'denied'; readonly reason: string; readonly remedy: string };

export type Field = 'id' | 'name' | 'mail' | 'displayName' | 'password' | 'tenant';

/** The provider does not take a value; a repetition will fail alike. */
export interface RefusedValue {
  readonly outcome: 'refused';
  /** Null where the provider names none. */
  readonly field: Field | null;
  readonly reason: string;
}

/** Another account has one of these values. */
export interface Clash {
  readonly outcome: 'clash';
  readonly fields: readonly Field[];
}

export interface Absent {
  readonly outcome: 'absent';
}

export type Creation =
  /** `password`: `none` was given, or it was `taken`, or it is of a form that is `refused`: the account exists without it. */
  | {
      readonly outcome: 'created';
      readonly name: string;
      readonly password: 'taken' | 'refused' | 'none';
    }
  /** An account with this very id: of an earlier or a concurrent call. `revived`: it was deleted, and is back as it was. */
  | { readonly outcome: 'exists'; readonly person: Person }
  | { readonly outcome: 'revived'; readonly person: Person }
  /** The id belongs to a deleted account, and this token may not revive it. `until`: null where the time of deletion is unknown. */
  | { readonly outcome: 'held'; readonly until: Date | null }
  | Clash
  | RefusedValue
  | Failure;

/** `passwordDropped`: the account's password is gone (SCIM sync), so it has to be carried again at the next sign-in. */
export interface Changed {
  readonly outcome: 'done';
  readonly passwordDropped: boolean;
}

export interface PersonChanges {
  readonly mail?: { readonly address: string; readonly verified: boolean };
  readonly displayName?: string;
}

export interface Page {
  readonly outcome: 'page';
  readonly people: readonly Person[];
  /** Of the next page; null after the last. Deletions meanwhile can move people over a page's end: look up who is missing. */
  readonly next: string | null;
}

/** Constants of a provider in its mode. */
export interface DirectoryTraits {
  readonly provider: ProviderName;
  readonly mode: 'local' | 'sync' | 'organisations' | 'roles';
  /** Value of `iss` to which the accounts' ids belong. */
  readonly issuer: string;
  /** True: one address belongs to one account, compared with regard to case; one name too. False: names are made unique per tenant. */
  readonly unique: boolean;
  /** `hash`: at creation. `sign-in`: the plain text, at the next sign-in by password. */
  readonly passwords: 'hash' | 'sign-in' | 'none';
  /** People per `create` that cost little more than one; such a call is atomic at the provider. */
  readonly batch: number;
  /** Calls at a time, beyond which nothing is gained. */
  readonly concurrency: number;
  /** For how long lists may be older than what was written, in milliseconds; a single account never is. */
  readonly lagMs: number;
  /** Seconds for which a deleted account holds its id. */
  readonly heldSeconds: number;
}

export interface RightsReport {
  readonly outcome: 'rights';
  /** Empty: everything needed is there. */
  readonly missing: readonly { readonly right: string; readonly remedy: string }[];
  /** False: a deleted account cannot be brought back, so that its id stays taken for `heldSeconds`. */
  readonly revives: boolean;
  /** What works, but not as it should; such as a missing index. */
  readonly warnings: readonly { readonly problem: string; readonly remedy: string }[];
}

export type Invitation =
  | { readonly outcome: 'link'; readonly url: string; readonly expiresAt: Date | null }
  /** A credential is set already: sign-in is all that is left. */
  | { readonly outcome: 'initialised' }
  | Absent
  | Failure;

/** No method throws for what a provider answers, and every call has its own bound in time. */
export interface Directory {
  readonly traits: DirectoryTraits;
  /** Checks the token against what provisioning needs; writes nothing. */
  rights(): Promise<RightsReport | Failure>;

  /** The login name that `create` will ask for: of the same person always the same. */
  nameOf(person: Pick<NewPerson, 'id' | 'mail' | 'tenant'>): string;
  /** Why the provider will not take a person, as far as its rules for ids and addresses are known; `create` judges all the same. */
  refusalOf(person: Pick<NewPerson, 'id' | 'mail'>): string | undefined;
  /** One result per person, in order. One person's fault leaves the others unaffected. */
  create(people: readonly NewPerson[]): Promise<readonly Creation[]>;
  /** Those of the ids that exist, in any order. */
  find(
    ids: readonly string[],
  ): Promise<{ readonly outcome: 'found'; readonly people: readonly Person[] } | Failure>;
  /** People of the directory, of one tenant where the provider keeps tenants apart. `from`: of the previous page. */
  list(tenant: Pick<DirectoryTenant, 'id' | 'slug'> | null, from: string | null): Promise<Page | Failure>;
  /** What is not named stays as it is. */
  update(id: string, changes: PersonChanges): Promise<Changed | Absent | Clash | RefusedValue | Failure>;
  /** Ends sessions and tokens of the provider. Disabling who is disabled changes nothing. */
  disable(id: string): Promise<Changed | Absent | Failure>;
  enable(id: string): Promise<Changed | Absent | Failure>;
  delete(id: string): Promise<{ readonly outcome: 'deleted' } | Absent | Failure>;

  /** The group of a tenant's role, by its name; `renamed`: the provider cannot have the seed's name. */
  groupName(tenant: DirectoryTenant, role: TenantRole): { readonly name: string; readonly renamed: boolean };
  findGroup(
    tenant: DirectoryTenant,
    role: TenantRole,
  ): Promise<{ readonly outcome: 'found'; readonly group: Group } | Absent | Failure>;
  ensureGroup(
    tenant: DirectoryTenant,
    role: TenantRole,
  ): Promise<
    { readonly outcome: 'created' | 'exists'; readonly group: Group } | Clash | RefusedValue | Failure
  >;
  /** Idempotent; `absent`: ids that are no accounts. */
  addMembers(group: Group, ids: readonly string[]): Promise<Membership | Failure>;
  removeMembers(group: Group, ids: readonly string[]): Promise<Membership | Failure>;

  /** A way for a person to set their first credential. A new one may end earlier ones. */
  invite(id: string, ttlSeconds: number): Promise<Invitation>;
  /** Kinds of credentials that an account has, in the provider's words. */
  credentials(
    id: string,
  ): Promise<{ readonly outcome: 'known'; readonly kinds: readonly string[] } | Absent | Failure>;
  /** Sets the password of an existing account. */
  carryPassword(
    id: string,
    password: { readonly plain: string } | { readonly hash: string },
  ): Promise<{ readonly outcome: 'carried' } | Absent | RefusedValue | Failure>;
}

export type Membership =
  { readonly outcome: 'done'; readonly absent: readonly string[] } | { readonly outcome: 'no-group' };

/** Ends Kanidm's SCIM sync account; people and passwords stay. Needs an administrator's token. */
export type FinaliseSync = (
  account: string,
  administratorToken: string,
) => Promise<{ readonly outcome: 'finalised' } | Absent | Failure>;

const FAILURES: readonly string[] = ['away', 'slow', 'busy', 'denied', 'failed'];

export function isFailure(result: { readonly outcome: string }): result is Failure {
  return FAILURES.includes(result.outcome);
}

/** Whether the same call may succeed later without a change at either side. */
export function isRetryable({ outcome }: { readonly outcome: string }): boolean {
  return outcome === 'away' || outcome === 'slow' || outcome === 'busy';
}
