import { pause } from '../../../shared/ports/runtime.ts';
import { Failure, UsageError } from '../../failure.ts';
import { chosenInstance, type Instance } from '../database/instances.ts';
import { withZitadelDatabase, type ZitadelDatabase } from '../database/open.ts';
import { resolveV1 } from './candidates-v1.ts';
import {
  formerOwners,
  formersOf,
  nameEvents,
  removedDomain,
  type Former,
  type NameEvent,
} from './history.ts';
import { loginInput, type LoginInput } from './input.ts';
import { resolveV2 } from './login-v2.ts';
import { candidatesFor, readPeople } from './people.ts';
import {
  findOrgs,
  readDomainPolicies,
  readFeatures,
  readLoginPolicies,
  type Features,
  type LoginPolicy,
} from './policies.ts';
import type { Candidate, Facts, Login, OrgScope, Outcome, Resolution } from './resolution.ts';
import { trapsOf, type Trap } from './traps.ts';

export interface ExplainOptions {
  readonly org?: string;
  readonly orgScope?: 'id' | 'domain';
  readonly login?: Login;
  readonly database?: string;
  readonly instance?: string;
  /** Searches all events for former names, however many. */
  readonly history?: boolean;
}

export interface Explanation {
  readonly input: string;
  readonly parts: { readonly name: string; readonly domain: string | null };
  readonly instance: string;
  readonly login: Login;
  readonly signs_in_as: readonly string[];
  readonly outcome: Outcome;
  /** `org`: null where the instance's holds because nobody is found yet. */
  readonly policy: Omit<LoginPolicy, 'org'> & {
    readonly org: string | null;
    readonly must_be_domain: boolean;
  };
  readonly candidates: readonly Candidate[];
  readonly traps: readonly Trap[];
  /** Ids of users that were looked at and are there: a former name may be of one who was removed. */
  readonly present: readonly string[];
  /** What the other sign-in pages make of the same input. */
  readonly other: {
    readonly login: Login;
    readonly signs_in_as: readonly string[];
    readonly outcome: Outcome;
  };
  /** False: former names were not searched, since there are too many changes. */
  readonly history_complete: boolean;
}

/** A running Zitadel takes in its newest events within a second. */
const LOOKS = 5;
const BETWEEN_MS = 300;

/**
 * Whom an input signs in as, and why; looked at again while events of who is concerned are newer than what sign-in reads. Throws
 * Failure, or UsageError where an instance or organisation is ambiguous.
 */
export async function explain(
  typed: string,
  options: ExplainOptions,
  wait: (ms: number) => Promise<void> = pause,
): Promise<Explanation> {
  for (let look = 1; ; look++) {
    const explained = await explainNow(typed, options);
    if (look === LOOKS || explained.traps.every(({ trap }) => trap !== 'projection_behind')) return explained;
    await wait(BETWEEN_MS);
  }
}

async function explainNow(typed: string, options: ExplainOptions): Promise<Explanation> {
  const input = loginInput(typed);
  if (input.text === '') throw new UsageError('the input is empty');
  if (options.orgScope !== undefined && options.org === undefined)
    throw new UsageError('--org-scope says how --org is asked for: add --org');
  return withZitadelDatabase({ database: options.database }, async (zitadel) => {
    const instance = chosenInstance(zitadel.instances, options.instance);
    const features = await readFeatures(zitadel, instance);
    const login = options.login ?? (features.loginV2 ? 'v2' : 'v1');
    const read = await readFacts(zitadel, instance, { input, login, features, options });
    return explanationOf(read, login);
  });
}

interface Question {
  readonly input: LoginInput;
  readonly login: Login;
  readonly features: Features;
  readonly options: ExplainOptions;
}

interface Read {
  readonly facts: Facts;
  readonly formers: readonly Former[];
  /** Events that sign-in does not read yet. */
  readonly ahead: readonly NameEvent[];
  readonly historyComplete: boolean;
  readonly removedDomains: readonly { readonly org: string; readonly at: Date }[];
}

async function readFacts(zitadel: ZitadelDatabase, instance: Instance, question: Question): Promise<Read> {
  const { input, login, features, options } = question;
  const { id } = instance;
  const scope =
    options.org === undefined ? null : await scopeOf(zitadel, id, options.org, options.orgScope ?? 'id');
  const suffixed = scope?.by === 'domain' ? loginInput(`${input.text}@${scope.org.primary_domain}`) : input;
  const near = await candidatesFor(zitadel, id, input);
  const inScope = suffixed === input ? [] : await candidatesFor(zitadel, id, suffixed);
  const former = await formerOwners(zitadel, id, input, options.history === true);
  const ids = [...new Set([...near, ...inScope, ...former.ids])];
  const people = await readPeople(zitadel, id, ids);
  const present = new Set(people.map((person) => person.id));
  const lost = [...new Set([...near, ...inScope])].filter((each) => !present.has(each));
  const [domainOwner = null] =
    input.domain === null ? [] : await findOrgs(zitadel, id, input.domain, 'domain');
  const defaultOrg = login === 'v2' || features.loginDefaultOrg ? instance.default_org_id : null;
  const orgs = [...people.map(({ org }) => org), scope?.org.id, domainOwner?.id, defaultOrg];
  const known = orgs.filter((org) => typeof org === 'string');
  const policyOf = await readLoginPolicies(zitadel, id, known);
  const mustBeDomain = await readDomainPolicies(zitadel, id, known);
  const events = await nameEvents(zitadel, id, ids);
  return {
    facts: { instance: id, input, scope, people, lost, policyOf, mustBeDomain, defaultOrg, domainOwner },
    formers: formersOf(events).filter((each) => concerns(each, input)),
    ahead: events.filter(({ ahead }) => ahead),
    historyComplete: former.complete,
    removedDomains: input.domain === null ? [] : await removedDomain(zitadel, id, input.domain),
  };
}

function concerns({ text, now, how }: Former, { whole, name }: LoginInput): boolean {
  const lower = text.toLowerCase();
  return lower === whole || lower === name || (how === 'domain claimed' && now?.toLowerCase() === whole);
}

async function scopeOf(
  zitadel: ZitadelDatabase,
  instance: string,
  wanted: string,
  by: OrgScope['by'],
): Promise<OrgScope> {
  const [org, another] = await findOrgs(zitadel, instance, wanted, 'any');
  if (org === undefined)
    throw new Failure(`the instance has no organisation with the id, name or domain ${wanted}`);
  if (another !== undefined && org.id !== wanted)
    throw new UsageError(
      `several organisations are called ${wanted}: name one by its id, ${org.id} or ${another.id}`,
    );
  return { org, by };
}

function explanationOf(
  { facts, formers, ahead, historyComplete, removedDomains }: Read,
  login: Login,
): Explanation {
  const resolve = { v1: resolveV1, v2: resolveV2 };
  const resolution = resolve[login](facts);
  const otherLogin = login === 'v1' ? 'v2' : 'v1';
  const other = resolve[otherLogin](facts);
  const { input, instance } = facts;
  return {
    input: input.text,
    parts: { name: input.name, domain: input.domain },
    instance,
    login,
    signs_in_as: resolution.signsInAs,
    outcome: resolution.outcome,
    policy: policyInForce(facts, resolution),
    candidates: [
      ...resolution.candidates,
      ...formers.map((former) => formerCandidate(facts, former, resolution)),
    ],
    traps: trapsOf({ facts, login, resolution, formers, ahead, removedDomains }),
    present: facts.people.map(({ id }) => id),
    other: { login: otherLogin, signs_in_as: other.signsInAs, outcome: other.outcome },
    history_complete: historyComplete,
  };
}

/** That of the organisation in scope, else of the user that was found, else of where nobody is found yet. */
function policyInForce(
  { policyOf, mustBeDomain, scope, defaultOrg }: Facts,
  { candidates }: Resolution,
): Explanation['policy'] {
  const org = scope?.org.id ?? candidates.find(({ matched }) => matched)?.org ?? defaultOrg;
  return { ...policyOf(org), org, must_be_domain: mustBeDomain(org) };
}

function formerCandidate({ instance }: Facts, former: Former, { signsInAs }: Resolution): Candidate {
  const { id, org, kind, text, until, now, how } = former;
  const what = kind === 'former_login_name' ? 'username' : 'e-mail';
  const ended = {
    renamed: `was changed to ${now ?? ''}`,
    'domain claimed': `was taken away, since an organisation verified its domain: now it is ${now ?? ''}`,
    'policy changed': `was written anew as ${now ?? ''}, since must_be_domain was switched`,
    removed: 'ended, as the user was removed',
  }[how];
  const opens =
    kind === 'former_email'
      ? '. The built-in pages go on taking an e-mail until another one is verified, Login v2 takes that of the profile'
      : signsInAs.includes(id)
        ? '. A former name opens nothing; what signs in is the line marked +'
        : '. A former name opens nothing from that moment on';
  return {
    id,
    instance,
    org,
    rule: kind,
    matched: false,
    why: `its ${what} ${text} ${ended} at ${until.toISOString()}${opens}`,
  };
}
