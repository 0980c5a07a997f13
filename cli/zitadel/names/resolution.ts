import { loginInput, type LoginInput } from './input.ts';
import type { Person } from './people.ts';
import type { LoginPolicies, Org } from './policies.ts';

export type Login = 'v1' | 'v2';

/** An organisation that the application asks for by a scope. */
export interface OrgScope {
  readonly org: Org;
  /** `urn:zitadel:iam:org:id:…` or `urn:zitadel:iam:org:domain:primary:…` */
  readonly by: 'id' | 'domain';
}

/** All that decides, read before anything is judged. */
export interface Facts {
  readonly instance: string;
  readonly input: LoginInput;
  readonly scope: OrgScope | null;
  readonly people: readonly Person[];
  /** Ids that the projection of login names or of addresses has for this input, and that of users has not. */
  readonly lost: readonly string[];
  readonly policyOf: LoginPolicies;
  readonly mustBeDomain: (org: string | null) => boolean;
  /** Whose policies hold before a user is found, without a scope; null: the instance's. */
  readonly defaultOrg: string | null;
  /** The organisation that has verified the input's domain. */
  readonly domainOwner: Org | null;
}

export type Rule =
  | 'login_name'
  | 'verified_email'
  | 'email'
  | 'phone'
  | 'domain_discovery'
  | 'former_login_name'
  | 'former_email';

export interface Candidate {
  /** Of the user; null for an organisation that only the domain leads to. */
  readonly id: string | null;
  readonly instance: string;
  readonly org: string | null;
  readonly rule: Rule;
  /** Whether sign-in comes to this user by this rule, in force and in order; it may still end at the user's state. */
  readonly matched: boolean;
  readonly why: string;
}

/** How the sign-in page goes on. */
export type Outcome =
  | 'signs_in'
  | 'registration'
  | 'locked'
  | 'inactive'
  | 'machine'
  | 'several'
  | 'unknown_ignored'
  | 'refused'
  | 'not_found';

export interface Resolution {
  readonly signsInAs: readonly string[];
  readonly outcome: Outcome;
  readonly candidates: readonly Candidate[];
}

/** Whether this is a login name of the user. `loginName`: in lower case, with the domain that a scope appends. */
export function fits(person: Person, loginName: string): boolean {
  return person.loginNames.some((name) => name.toLowerCase() === loginName);
}

export function same(text: string | null, lower: string): boolean {
  return text !== null && text.toLowerCase() === lower;
}

export function inScope({ org }: Person, scope: OrgScope | null): boolean {
  return scope === null || scope.org.id === org;
}

export function candidateOf(
  { instance }: Facts,
  person: Person,
  rule: Rule,
  matched: boolean,
  why: string,
): Candidate {
  return { id: person.id, instance, org: person.org, rule, matched, why };
}

export function nameOfOrg({ org, org_name }: Person): string {
  return org_name === null ? org : `${org_name} (${org})`;
}

/** Why a user that the rules lead to cannot sign in; null when nothing of its state forbids it. */
export function stateFault(person: Person): { readonly outcome: Outcome; readonly why: string } | null {
  if (!person.human)
    return { outcome: 'machine', why: 'it is a machine: sessions find it, but no page signs it in' };
  if (person.state === 'locked') return { outcome: 'locked', why: 'the user is locked' };
  if (person.state === 'active' || person.state === 'initial') return null;
  return { outcome: 'inactive', why: `the user is ${person.state}` };
}

/** Whether the username is the input, the input without its domain, or the input with some domain. */
export function nearlyNamed({ input }: Facts, { user_name }: Person): boolean {
  const lower = user_name?.toLowerCase();
  return lower === input.whole || lower === input.name || lower?.startsWith(`${input.whole}@`) === true;
}

/** Why a username is no login name in this form, for users that the input nearly names. */
export function nearMiss(person: Person, loginName: string): string {
  const { loginNames, user_name, must_be_domain, domains } = person;
  const [primary] = loginNames;
  if (user_name === null)
    return 'the projection of login names has no row of this user: `sallyport zitadel verify`';
  if (primary === undefined)
    return `the policy of ${nameOfOrg(person)} demands a domain after the username, and it has no verified one: nothing signs this user in`;
  if (must_be_domain && same(user_name, loginName))
    return `the policy of ${nameOfOrg(person)} demands the domain after the username: it is ${loginNames.join(' or ')}`;
  if (must_be_domain) {
    const { name, domain } = loginInput(loginName);
    const parts = domain === null ? '' : `cut at its last @ this is ${name} and ${domain}, but `;
    return `${parts}its login name is ${loginNames.join(' or ')}; verified domains are ${domains.join(', ')}`;
  }
  return `without must_be_domain the login name is the username as it is stored, ${primary}; no domain is appended or taken off`;
}
