import type { Person } from './people.ts';
import type { LoginPolicy } from './policies.ts';
import {
  candidateOf,
  fits,
  inScope,
  nameOfOrg,
  nearlyNamed,
  nearMiss,
  same,
  stateFault,
  type Candidate,
  type Facts,
  type OrgScope,
  type Outcome,
  type Resolution,
  type Rule,
} from './resolution.ts';

/** Longer inputs are not looked up as a phone. */
const PHONE_LENGTH = 20;

/**
 * The pages of Login v2 since 4.0: by login name, and where nobody has it by e-mail or phone, verified or not, as the context's
 * policy permits; then the user's own policy is asked.
 */
export function resolveV2(facts: Facts): Resolution {
  const loginName = suffixed(facts);
  const inside = facts.people.filter((person) => inScope(person, facts.scope));
  const named = inside.filter((person) => fits(person, loginName));
  const policy = facts.policyOf(facts.scope?.org.id ?? facts.defaultOrg);
  const reached =
    named.length > 0
      ? []
      : inside.filter((person) => byMail(facts, policy, person) || byPhone(facts, policy, person));
  const hits = [...named, ...reached];
  const [only] = hits.length === 1 ? hits : [];
  const outcome = outcomeOf(facts, policy, hits, only);
  return {
    signsInAs: only !== undefined && outcome === 'signs_in' ? [only.id] : [],
    outcome,
    candidates: [
      ...facts.people.flatMap((person) => candidates(facts, person, { loginName, named, hits, policy })),
      ...discovery(facts, outcome),
    ],
  };
}

/** In the scope of a primary domain it is appended always, whatever the policy. */
function suffixed({ input, scope }: Facts): string {
  return scope?.by === 'domain' ? `${input.whole}@${scope.org.primary_domain.toLowerCase()}` : input.whole;
}

function byMail({ input }: Facts, policy: LoginPolicy, person: Person): boolean {
  return !policy.disable_login_with_email && same(person.email, input.whole);
}

function byPhone({ input }: Facts, policy: LoginPolicy, person: Person): boolean {
  return !policy.disable_login_with_phone && input.text.length <= PHONE_LENGTH && person.phone === input.text;
}

function outcomeOf(
  facts: Facts,
  policy: LoginPolicy,
  hits: readonly Person[],
  only: Person | undefined,
): Outcome {
  if (hits.length > 1) return 'several';
  if (only !== undefined) {
    if (refusedByOwn(facts, only) !== null) return 'refused';
    const fault = stateFault(only);
    if (fault !== null) return fault.outcome;
    return only.state === 'initial' ? 'inactive' : 'signs_in';
  }
  if (registers(facts, policy)) return 'registration';
  return policy.ignore_unknown_usernames ? 'unknown_ignored' : 'not_found';
}

/** Why the user's own policy does not take this input; compared with the case as it is stored. Null when it does. */
function refusedByOwn({ input, scope, policyOf }: Facts, person: Person): string | null {
  const { disable_login_with_email: noMail, disable_login_with_phone: noPhone } = policyOf(person.org);
  if (!noMail && !noPhone) return null;
  const typed = scope?.by === 'domain' ? `${input.text}@${scope.org.primary_domain}` : input.text;
  const preferred = person.loginNames[0] === typed;
  const other = noMail ? !noPhone && person.phone === input.text : person.email === input.text;
  if (preferred || other) return null;
  const off = [noMail ? 'disable_login_with_email' : '', noPhone ? 'disable_login_with_phone' : ''].filter(
    (name) => name !== '',
  );
  return `the login policy of ${nameOfOrg(person)} has ${off.join(' and ')}, and then only its primary login name ${person.loginNames[0] ?? ''} is taken, in exactly this case`;
}

interface Search {
  readonly loginName: string;
  readonly named: readonly Person[];
  readonly hits: readonly Person[];
  readonly policy: LoginPolicy;
}

function candidates(facts: Facts, person: Person, search: Search): Candidate[] {
  return [
    ...nameCandidate(facts, person, search),
    ...mailCandidate(facts, person, search),
    ...phoneCandidate(facts, person, search),
  ];
}

/** Matched where there is no fault. */
function judged(facts: Facts, person: Person, rule: Rule, what: string, fault: string): Candidate[] {
  const why = fault === '' ? `${what}${obstacle(facts, person)}` : `${what}, but ${fault}`;
  return [candidateOf(facts, person, rule, fault === '', why)];
}

function nameCandidate(facts: Facts, person: Person, search: Search): Candidate[] {
  const { loginName } = search;
  const { input, scope } = facts;
  const appended =
    loginName === input.whole ? '' : ` (the scope appended its primary domain, which made ${loginName})`;
  if (fits(person, loginName)) {
    const fault = outside(person, scope) || several(search);
    return judged(facts, person, 'login_name', `its login name is ${loginName}${appended}`, fault);
  }
  if (!nearlyNamed(facts, person) && !fits(person, input.whole)) return [];
  return [candidateOf(facts, person, 'login_name', false, nearMiss(person, loginName) + appended)];
}

function mailCandidate(facts: Facts, person: Person, search: Search): Candidate[] {
  const { input } = facts;
  if (same(person.email, input.whole)) {
    const what = `its e-mail is the input${person.email_verified === true ? '' : ', unverified'}`;
    return judged(facts, person, 'email', what, faultBeside(facts, person, search, 'email'));
  }
  if (!same(person.verified_email, input.whole)) return [];
  const why = `its last verified e-mail is the input, but Login v2 looks at the one of the profile, ${person.email ?? 'which is empty'}`;
  return [candidateOf(facts, person, 'verified_email', false, why)];
}

function phoneCandidate(facts: Facts, person: Person, search: Search): Candidate[] {
  if (person.phone !== facts.input.text) return [];
  const fault = faultBeside(facts, person, search, 'phone');
  return judged(facts, person, 'phone', 'its phone is the input', fault);
}

/** Why an e-mail or a phone that is the input leads to nobody; empty where it does. */
function faultBeside(facts: Facts, person: Person, search: Search, by: 'email' | 'phone'): string {
  const off = `disable_login_with_${by}` as const;
  const isOff = search.policy[off] ? `the login policy in force has ${off}` : '';
  const first = search.named.length > 0 ? 'a login name fits, which comes first' : '';
  return outside(person, facts.scope) || first || isOff || several(search);
}

function outside(person: Person, scope: OrgScope | null): string {
  return inScope(person, scope)
    ? ''
    : `the user is of ${nameOfOrg(person)}, not of the organisation in scope`;
}

function several({ hits }: Search): string {
  return hits.length > 1 ? 'so does another: several are refused' : '';
}

function obstacle(facts: Facts, person: Person): string {
  const why = refusedByOwn(facts, person) ?? stateFault(person)?.why;
  if (why !== undefined) return `; but ${why}`;
  return person.state === 'initial'
    ? '; but the user is not initialised yet, which Login v2 does not take'
    : '';
}

function registers({ scope, domainOwner, input, policyOf }: Facts, policy: LoginPolicy): boolean {
  if (!policy.allow_register || !policy.allow_username_password || policy.ignore_unknown_usernames)
    return false;
  if (scope !== null) return true;
  return (
    domainOwner !== null &&
    domainOwner.primary_domain === afterFirst(input.text) &&
    policyOf(domainOwner.id).allow_domain_discovery
  );
}

function afterFirst(text: string): string {
  return text.slice(text.indexOf('@') + 1);
}

function discovery(facts: Facts, outcome: Outcome): Candidate[] {
  const { domainOwner, instance, input } = facts;
  if (domainOwner === null || outcome === 'signs_in') return [];
  const matched = outcome === 'registration';
  const why = matched
    ? `nobody was found, and ${input.domain ?? ''} is the primary domain of ${domainOwner.name}: the page offers registration there`
    : `${input.domain ?? ''} is a verified domain of ${domainOwner.name}; Login v2 looks at primary ones, for somebody who was not found`;
  return [{ id: null, instance, org: domainOwner.id, rule: 'domain_discovery', matched, why }];
}
