import type { Person } from './people.ts';
import { fits, inScope, same, stateFault, type Facts, type Outcome } from './resolution.ts';

/** Whom the rules lead to, and by which. */
export interface Finding {
  readonly person: Person | null;
  readonly by: 'login_name' | 'verified_email' | 'phone' | null;
  /** What the input became before it was compared with login names. */
  readonly loginName: string;
  /** Everybody whose login name fits, of any organisation. */
  readonly named: readonly Person[];
  readonly outcome: Outcome;
}

/** The built-in sign-in pages: login name, verified e-mail, verified phone, in this order; then the domain. */
export function findV1(facts: Facts): Finding {
  const loginName = preferredName(facts);
  const named = facts.people.filter((person) => fits(person, loginName));
  const found = byLoginName(facts, named) ?? byMail(facts) ?? byPhone(facts) ?? { person: null, by: null };
  return { ...found, loginName, named, outcome: outcomeOf(facts, found.person, named) };
}

type Found = Pick<Finding, 'person' | 'by'>;

/** In the scope of a primary domain that domain is appended whenever the policy demands one, also to an input with an `@`. */
function preferredName({ input, scope }: Facts): string {
  return scope?.by === 'domain' && scope.org.must_be_domain
    ? `${input.whole}@${scope.org.primary_domain.toLowerCase()}`
    : input.whole;
}

/** More than one is as none, since the look-up demands exactly one row; so is a machine, which has no row to be notified by. */
function byLoginName({ scope }: Facts, named: readonly Person[]): Found | undefined {
  const [person] = named;
  if (person === undefined || named.length > 1 || !person.human || !inScope(person, scope)) return undefined;
  return { person, by: 'login_name' };
}

function byMail(facts: Facts): Found | undefined {
  const person = theOnly(facts, (each) => same(each.verified_email, facts.input.whole));
  if (person === undefined || !mayBy(facts, person, 'disable_login_with_email')) return undefined;
  return { person, by: 'verified_email' };
}

function byPhone(facts: Facts): Found | undefined {
  const person = theOnly(facts, (each) => each.verified_phone === facts.input.text);
  if (person === undefined || !mayBy(facts, person, 'disable_login_with_phone')) return undefined;
  return { person, by: 'phone' };
}

function theOnly({ people, scope }: Facts, is: (person: Person) => boolean): Person | undefined {
  const [first, ...others] = people.filter((person) => is(person) && inScope(person, scope));
  return others.length === 0 ? first : undefined;
}

/** The policy of the scope, else that of the user who was found. */
export function mayBy(
  { policyOf, scope }: Facts,
  { org }: Person,
  off: 'disable_login_with_email' | 'disable_login_with_phone',
): boolean {
  return !policyOf(scope?.org.id ?? org)[off];
}

function outcomeOf(facts: Facts, person: Person | null, named: readonly Person[]): Outcome {
  const fault = person === null ? null : stateFault(person);
  if (person !== null && fault === null) return person.org_active ? 'signs_in' : 'inactive';
  // Before a locked user is refused, the domain is looked at.
  if (discovers(facts)) return 'registration';
  if (fault !== null) return fault.outcome;
  if (facts.policyOf(facts.scope?.org.id ?? facts.defaultOrg).ignore_unknown_usernames)
    return 'unknown_ignored';
  if (named.some(({ human }) => !human)) return 'machine';
  return named.length > 1 ? 'several' : 'not_found';
}

/** Whether somebody who was not found, or may not sign in, is led to another organisation by the domain. */
export function discovers({ domainOwner, policyOf, scope }: Facts): boolean {
  return scope === null && domainOwner !== null && policyOf(domainOwner.id).allow_domain_discovery;
}
