import type { Former, NameEvent } from './history.ts';
import { fits, nameOfOrg, same, type Facts, type Login, type Resolution } from './resolution.ts';
import type { Person } from './people.ts';

/** What surprises people, as far as this input meets it. */
export interface Trap {
  readonly trap:
    | 'another_users_email'
    | 'unverified_email'
    | 'old_email_still_works'
    | 'changed_by_hand'
    | 'several_hits'
    | 'case'
    | 'must_be_domain'
    | 'domain_claimed'
    | 'old_name_taken'
    | 'email_login_off'
    | 'removed_domain'
    | 'locked'
    | 'inactive'
    | 'machine'
    | 'password_login_off'
    | 'projection_behind'
    | 'release';
  /** The user whom it is about; null: the input alone. */
  readonly about: string | null;
  readonly text: string;
}

interface Known {
  readonly facts: Facts;
  readonly login: Login;
  readonly resolution: Resolution;
  readonly formers: readonly Former[];
  readonly ahead: readonly NameEvent[];
  readonly removedDomains: readonly { readonly org: string; readonly at: Date }[];
}

export function trapsOf(known: Known): readonly Trap[] {
  return [...byPerson(known), ...byInput(known), ...byHistory(known)];
}

function byPerson({ facts, resolution }: Known): Trap[] {
  const concerned = new Set(resolution.candidates.map(({ id }) => id));
  return facts.people.filter(({ id }) => concerned.has(id)).flatMap((person) => aboutPerson(facts, person));
}

function aboutPerson(facts: Facts, person: Person): Trap[] {
  const about = (trap: Trap['trap'], text: string): Trap => ({ trap, about: person.id, text });
  return [
    ...aboutHand(person, about),
    ...aboutVerification(facts, person, about),
    ...aboutState(person, about),
    ...aboutPolicy(facts, person, about),
  ];
}

type About = (trap: Trap['trap'], text: string) => Trap;

/** The last e-mail of the events is not that of the profile. */
function isMailByHand({ email, last_email }: Person): boolean {
  return last_email !== null && email !== null && last_email !== email;
}

function aboutHand(person: Person, about: About): Trap[] {
  const { id, email, last_email, user_name, username } = person;
  const traps: Trap[] = [];
  if (isMailByHand(person))
    traps.push(
      about(
        'changed_by_hand',
        `${id}: its profile has ${email ?? ''}, its events ${last_email ?? ''}: the projection was written to by SQL. That is lost when it is built anew; \`sallyport zitadel users rename ${id} ${user_name ?? username} --email ${email ?? ''}\` makes it by the API`,
      ),
    );
  if (user_name !== null && user_name !== username)
    traps.push(
      about(
        'changed_by_hand',
        `${id}: the projection of users has the name ${username}, that of login names ${user_name}, which is the one that signs in: one of them was written to by SQL`,
      ),
    );
  return traps;
}

function aboutVerification({ input }: Facts, person: Person, about: About): Trap[] {
  const { id, email, email_verified, verified_email } = person;
  if (isMailByHand(person) || email_verified !== false || verified_email === email) return [];
  if (verified_email !== null)
    return [
      about(
        'old_email_still_works',
        `${id}: its new e-mail ${email ?? ''} is not verified; until it is, the built-in pages go on taking ${verified_email}, and Login v2 takes the new one`,
      ),
    ];
  if (!same(email, input.whole)) return [];
  const text = `${id}: its e-mail is not verified, so the built-in pages do not take it; Login v2 does`;
  return [about('unverified_email', text)];
}

function aboutState({ id, state, human }: Person, about: About): Trap[] {
  const traps: Trap[] = [];
  if (state === 'locked')
    traps.push(
      about(
        'locked',
        `${id} is locked. The built-in pages say so only where the input's domain belongs to no organisation: else they offer registration. POST /v2/users/${id}/unlock`,
      ),
    );
  if (state === 'inactive' || state === 'suspended')
    traps.push(about('inactive', `${id} is ${state}. POST /v2/users/${id}/reactivate`));
  if (!human)
    traps.push(
      about(
        'machine',
        `${id} is a machine: the user check of POST /v2/sessions takes its name, but no page signs it in`,
      ),
    );
  return traps;
}

function aboutPolicy({ input, policyOf }: Facts, person: Person, about: About): Trap[] {
  const { is_default, disable_login_with_email, allow_username_password } = policyOf(person.org);
  const traps: Trap[] = [];
  if (
    disable_login_with_email &&
    [person.verified_email, person.email].some((mail) => same(mail, input.whole))
  )
    traps.push(
      about(
        'email_login_off',
        `${is_default ? 'the instance' : nameOfOrg(person)} has disable_login_with_email: its people sign in by login name alone`,
      ),
    );
  if (!allow_username_password)
    traps.push(
      about(
        'password_login_off',
        `the login policy of ${nameOfOrg(person)} has no allow_username_password: names are found, but only an identity provider signs in`,
      ),
    );
  return traps;
}

function byInput({ facts, login, resolution }: Known): Trap[] {
  const named = facts.people.filter((person) => fits(person, facts.input.whole));
  return [
    ...aboutMails(facts, named, resolution),
    ...aboutForms(facts, named, resolution),
    ...facts.lost.map((id): Trap => {
      const text = `${id} has this name, but no row in the projection of users, so that nobody signs in: one was removed by SQL. \`sallyport zitadel verify\` finds all of them`;
      return { trap: 'changed_by_hand', about: id, text };
    }),
    ...(login === 'v2' ? [RELEASE] : []),
  ];
}

const RELEASE: Trap = {
  trap: 'release',
  about: null,
  text: 'Login v2 takes login names, and as released with 4.0 and later e-mail and phone too, verified or not; its betas took login names alone. Some releases refuse everybody of an organisation that has switched off only one of the two',
};

/** `named`: whose login name the input is. */
function aboutMails({ input, people }: Facts, named: readonly Person[], { outcome }: Resolution): Trap[] {
  const traps: Trap[] = [];
  const mailed = people.filter(
    (person) => same(person.verified_email, input.whole) || same(person.email, input.whole),
  );
  for (const { id } of named)
    for (const other of mailed.filter((each) => each.id !== id))
      traps.push({
        trap: 'another_users_email',
        about: other.id,
        text: `${input.whole} is the login name of ${id} and an e-mail of ${other.id}: the login name wins, so ${other.id} cannot sign in by that e-mail`,
      });
  const verified = people.filter((person) => same(person.verified_email, input.whole)).length;
  if (outcome === 'several' || verified > 1)
    traps.push({
      trap: 'several_hits',
      about: null,
      text: `several users fit ${input.text}: e-mails are not unique in Zitadel, and where several have one it signs in nobody`,
    });
  return traps;
}

function aboutForms({ input, people }: Facts, named: readonly Person[], { signsInAs }: Resolution): Trap[] {
  const inCase = named.flatMap(({ id, loginNames }): Trap[] => {
    if (loginNames.includes(input.text)) return [];
    const stored = loginNames.find((name) => name.toLowerCase() === input.whole) ?? '';
    const text = `it is stored as ${stored}: sign-in and sessions compare in lower case, the API's TEXT_QUERY_METHOD_EQUALS does not`;
    return [{ trap: 'case', about: id, text }];
  });
  const isItsUsername = ({ user_name }: Person): boolean =>
    [input.whole, input.name].some((text) => same(user_name, text));
  const needs = people.filter(
    (person) =>
      person.must_be_domain &&
      !named.includes(person) &&
      !signsInAs.includes(person.id) &&
      isItsUsername(person),
  );
  return [
    ...inCase,
    ...needs.map((person): Trap => {
      const names = person.loginNames.join(', ') || 'none, as no domain is verified';
      const text = `${nameOfOrg(person)} has must_be_domain: the only names of ${person.id} are ${names}. Both forms are never taken at once`;
      return { trap: 'must_be_domain', about: person.id, text };
    }),
  ];
}

function byHistory({ facts, formers, ahead, removedDomains }: Known): Trap[] {
  const { input, people } = facts;
  const traps = ahead.map(({ id, type, at }): Trap => {
    const text = `${id}: ${type} of ${at.toISOString()} is newer than the projections that sign-in reads. A server that runs takes it in before it answers; see \`sallyport zitadel verify\``;
    return { trap: 'projection_behind', about: id, text };
  });
  for (const { id, text, until, now, how, kind } of formers) {
    if (how === 'domain claimed')
      traps.push({
        trap: 'domain_claimed',
        about: id,
        text: `${id} was ${text} until ${until.toISOString()}: an organisation verified that domain, and Zitadel renamed the user to ${now ?? ''}`,
      });
    const holder = people.find(
      (person) => person.id !== id && person.loginNames.some((name) => name.toLowerCase() === input.whole),
    );
    if (kind === 'former_login_name' && text.toLowerCase() === input.whole && holder !== undefined)
      traps.push({
        trap: 'old_name_taken',
        about: id,
        text: `${text} was the name of ${id} until ${until.toISOString()}; now it is that of ${holder.id}`,
      });
  }
  for (const { org, at } of removedDomains)
    if (facts.domainOwner?.id !== org)
      traps.push({
        trap: 'removed_domain',
        about: null,
        text: `${input.domain ?? ''} was a verified domain of organisation ${org} until ${at.toISOString()}: names that end in it are taken no more`,
      });
  return traps;
}
