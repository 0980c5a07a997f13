import { looksLikePhone } from './input.ts';
import { discovers, findV1, mayBy, type Finding } from './login-v1.ts';
import type { Person } from './people.ts';
import {
  candidateOf,
  inScope,
  nameOfOrg,
  nearlyNamed,
  nearMiss,
  same,
  stateFault,
  type Candidate,
  type Facts,
  type Resolution,
} from './resolution.ts';

/** Whom an input signs in as at the built-in pages, and why each candidate is or is not the one. */
export function resolveV1(facts: Facts): Resolution {
  const finding = findV1(facts);
  const { person, outcome } = finding;
  const candidates = facts.people.flatMap((each) => [
    ...nameCandidate(facts, each, finding),
    ...mailCandidate(facts, each, finding),
    ...phoneCandidate(facts, each, finding),
  ]);
  return {
    signsInAs: person !== null && outcome === 'signs_in' ? [person.id] : [],
    outcome,
    candidates: [...candidates, ...discovery(facts, finding)],
  };
}

function nameCandidate(facts: Facts, person: Person, { loginName, named }: Finding): Candidate[] {
  const appended =
    loginName === facts.input.whole
      ? ''
      : ` (the scope appended its primary domain, which made ${loginName})`;
  const is = (matched: boolean, why: string): Candidate[] => [
    candidateOf(facts, person, 'login_name', matched, why + appended),
  ];
  if (!named.includes(person))
    return nearlyNamed(facts, person) ? is(false, nearMiss(person, loginName)) : [];
  if (named.length > 1)
    return is(
      false,
      `its login name fits, but so does that of ${named.length - 1} more: several are as none`,
    );
  if (!inScope(person, facts.scope))
    return is(
      false,
      `its login name fits, but the user is of ${nameOfOrg(person)}, not of the organisation in scope`,
    );
  return is(true, `its login name is ${loginName}${obstacle(facts, person)}`);
}

function mailCandidate(facts: Facts, person: Person, { person: found, by }: Finding): Candidate[] {
  const { input, scope, people } = facts;
  const is = (matched: boolean, why: string): Candidate[] => [
    candidateOf(facts, person, 'verified_email', matched, why),
  ];
  if (!same(person.verified_email, input.whole))
    return same(person.email, input.whole) ? is(false, unverified(person)) : [];
  const fault = (text: string): Candidate[] => is(false, `its verified e-mail is the input, but ${text}`);
  if (!inScope(person, scope)) return fault('the user is not of the organisation in scope');
  if (by === 'login_name' && found !== null)
    return fault(
      found.id === person.id ? 'its login name came first' : `the login name of ${found.id} comes first`,
    );
  const others =
    people.filter((each) => same(each.verified_email, input.whole) && inScope(each, scope)).length - 1;
  if (others > 0) return fault(`so is that of ${others} more: several are as none`);
  if (!mayBy(facts, person, 'disable_login_with_email'))
    return fault(`the login policy of ${ownerOf(facts, person)} has disable_login_with_email`);
  return is(
    true,
    `no login name fits, and its verified e-mail is ${person.verified_email ?? ''}${obstacle(facts, person)}`,
  );
}

/** The e-mail of the profile is the input, that which sign-in reads is another. */
function unverified({ email_verified, verified_email }: Person): string {
  const counts = verified_email === null ? 'there is none yet' : `that is ${verified_email}`;
  return email_verified === true
    ? `its profile has this e-mail as verified, but sign-in reads the last one that was verified by an event, and ${counts}: the profile was changed by hand`
    : `its e-mail is the input, but unverified; sign-in reads the verified one, and ${counts}`;
}

function phoneCandidate(facts: Facts, person: Person, { person: found, by }: Finding): Candidate[] {
  const { input } = facts;
  if (!looksLikePhone(input)) return [];
  const is = (matched: boolean, why: string): Candidate[] => [
    candidateOf(facts, person, 'phone', matched, why),
  ];
  if (person.verified_phone !== input.text)
    return person.phone === input.text ? is(false, 'its phone is the input, but unverified') : [];
  if (by === 'phone' && found?.id === person.id)
    return is(
      true,
      `no login name and no e-mail fits, and its verified phone is the input${obstacle(facts, person)}`,
    );
  const why = mayBy(facts, person, 'disable_login_with_phone')
    ? 'something else comes first, several users have it, or it is of another organisation'
    : `the login policy of ${ownerOf(facts, person)} has disable_login_with_phone`;
  return is(false, `its verified phone is the input, but ${why}`);
}

/** Whose login policy counts. */
function ownerOf({ scope, policyOf }: Facts, person: Person): string {
  if (policyOf(scope?.org.id ?? person.org).is_default) return 'the instance';
  return scope === null ? nameOfOrg(person) : `${scope.org.name} (${scope.org.id})`;
}

/** What stands in the way of a user that was found; empty when nothing does. */
function obstacle(facts: Facts, person: Person): string {
  const fault = stateFault(person);
  if (fault === null)
    return person.org_active ? '' : `; but its organisation ${nameOfOrg(person)} is deactivated`;
  return discovers(facts)
    ? `; but ${fault.why}, and since ${facts.input.domain ?? ''} is a verified domain the page offers registration instead of saying so`
    : `; but ${fault.why}`;
}

function discovery(facts: Facts, { outcome }: Finding): Candidate[] {
  const { domainOwner, instance, input, scope, policyOf } = facts;
  if (domainOwner === null || outcome === 'signs_in') return [];
  const { id, name } = domainOwner;
  const register = policyOf(id).allow_register
    ? 'offers registration'
    : 'would offer registration, which its login policy refuses';
  const verified = `${input.domain ?? ''} is a verified domain of ${name}`;
  const why = discovers(facts)
    ? `nobody who may sign in was found, and ${verified}: the page goes on with its policies and ${register}`
    : `${verified}, but ${scope === null ? 'its login policy has no allow_domain_discovery' : 'with an organisation in scope the domain is not looked at'}`;
  return [{ id: null, instance, org: id, rule: 'domain_discovery', matched: discovers(facts), why }];
}
