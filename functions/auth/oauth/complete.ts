import type { RouteContext } from '../../../shared/edge/frame.ts';
import { Refusal } from '../../../shared/errors.ts';
import { audit } from '../../../shared/people/audit.ts';
import type { ProviderAccount, SignedIn, SignIn } from '../../../shared/ports/sign-in.ts';
import { sealToken } from '../../../shared/sessions/confirm.ts';
import type { TokenPair } from '../../../shared/sessions/cookies.ts';
import { issue } from '../../../shared/sessions/refresh.ts';
import { markEnded } from '../../../shared/sessions/revocation.ts';
import { uuidOf } from '../../../shared/uuid.ts';
import { originOf, refreshDeps, type AuthDeps } from '../deps.ts';
import { arrive, arriveAgain, type Arrival } from './arrive.ts';
import { beginKnown, beginNew, type Beginning, type Begun } from './begin.ts';
import { invalidCallback } from './http.ts';
import { newUserId, placeholderMail } from './new-user.ts';
import { outcomeOf, type Outcome } from './outcome.ts';
import type { Pending } from './pending.ts';

/** Once more after another request changed what was read. */
const TRIES = 3;

/** An answer of the provider with a verified account. */
export interface Arriving {
  readonly signIn: SignIn;
  readonly signedIn: SignedIn;
  readonly pending: Pending;
  readonly code: string;
  readonly request: Request;
  readonly context: RouteContext;
}

/** The tokens of the session that begins. Throws Refusal as `outcomeOf` decides, `invalid_callback`, and as `Database`. */
export async function complete(arriving: Arriving, deps: AuthDeps): Promise<TokenPair> {
  const { signedIn, pending, code, signIn } = arriving;
  const { kanidmIssuer } = deps.config;
  const { link, state } = pending;
  let { account } = signedIn;
  let arrival = await arrive(deps.database, { account, link, kanidmIssuer }, { state, code });
  if (arrival === undefined) throw invalidCallback('state or code was spent before');
  for (let tries = TRIES; tries > 0; tries -= 1) {
    if (arrival.person === null && link === null && !account.complete) {
      account = await wholeAccount(signIn, signedIn);
      arrival = await arriveAgain(deps.database, { account, link, kanidmIssuer });
    }
    const outcome = outcomeOf(arrival, { pending, newUsers: deps.config.newUsers });
    if (outcome.kind === 'refused') throw await recorded(outcome, account, arriving, deps);
    const pair = await begun(outcome, account, arrival, arriving, deps);
    if (pair !== undefined) return pair;
    arrival = await arriveAgain(deps.database, { account, link, kanidmIssuer });
  }
  // Its address is that of a deleted user of the tenant.
  const outcome = {
    kind: 'refused',
    code: 'account_not_linked',
    why: 'address taken',
    userId: null,
  } as const;
  throw await recorded(outcome, account, arriving, deps);
}

/** For a new user: the ID token may hold a part of the claims alone. Throws Refusal `invalid_callback`, and as `SignIn`. */
async function wholeAccount(signIn: SignIn, { account, tokens }: SignedIn): Promise<ProviderAccount> {
  const found = await signIn.account(tokens.access, account.subject);
  if (found.outcome === 'declined') throw invalidCallback(found.reason);
  return found.account;
}

/** Undefined where something changed meanwhile, and nothing was done. */
async function begun(
  outcome: Exclude<Outcome, { kind: 'refused' }>,
  account: ProviderAccount,
  arrival: Arrival,
  arriving: Arriving,
  deps: AuthDeps,
): Promise<TokenPair | undefined> {
  const { signIn, signedIn, request, context } = arriving;
  const { database } = deps;
  const keys = await deps.keyRing.current();
  const shared = deps.config.sharedSubjectIssuers.includes(signIn.provider);
  const id = { shared, taken: arrival.idTaken };
  const user = outcome.kind === 'new' ? newUser(outcome.tenant, account, id, deps) : outcome.person;
  const sessionId = deps.random.uuid();
  const method = 'kanidm' as const;
  const issued = await issue({ ...user, sessionId, method }, 0, keys, refreshDeps(deps));
  const { address, userAgent, requestId } = originOf(request, context);
  const inTenant = arrival.memberships.some(({ tenantId }) => tenantId === user.tenantId);
  const member = inTenant || account.complete ? inTenant : null;
  const token = await sealToken({ refresh: signedIn.tokens.refresh, member }, keys);
  const { sid } = signedIn;
  const provider = { ...account, sid, sidAsUuid: sid === null ? null : uuidOf(sid), token };
  const beginning: Beginning = {
    account,
    arrival,
    session: { sessionId, method, ...issued, address, userAgent, provider },
    audited: { from: address ?? 'unknown', run: requestId, by: signIn.provider },
  };
  const ended: Begun =
    outcome.kind === 'new'
      ? await beginNew(database, user, beginning)
      : await beginKnown(database, outcome.kind, outcome.person, beginning);
  if (ended === undefined) return undefined;
  // An account under the user's own id keeps its name.
  if (outcome.kind !== 'known' && account.subject !== user.userId) deps.linked();
  await markEnded(ended, deps);
  return issued.pair;
}

function newUser(
  { tenantId, slug, role }: Extract<Outcome, { kind: 'new' }>['tenant'],
  account: ProviderAccount,
  id: Parameters<typeof newUserId>[1],
  deps: Pick<AuthDeps, 'clock' | 'random'>,
) {
  const userId = newUserId(account, id, deps);
  return {
    userId,
    tenantId,
    slug,
    role: role === 'member' ? 'user' : role,
    email: account.email ?? placeholderMail(userId),
  };
}

/** The refusal, once it is in the audit. */
async function recorded(
  { code, why, userId }: Extract<Outcome, { kind: 'refused' }>,
  { issuer, subject }: ProviderAccount,
  { signIn, pending, request, context }: Arriving,
  deps: AuthDeps,
): Promise<Refusal> {
  const { address, requestId } = originOf(request, context);
  await audit(deps.database, {
    who: pending.link?.userId ?? 'anonymous',
    what: code === 'account_not_linked' ? 'link_refused' : 'sign_in_refused',
    subject: userId,
    from: address ?? 'unknown',
    run: requestId,
    detail: { by: signIn.provider, issuer, account: subject, why },
  });
  // 403 here; 409 is of sign-in by password, which can be repeated with a tenant.
  return new Refusal(code, why, code === 'tenant_required' ? { status: 403, detail: SEVERAL } : {});
}

const SEVERAL = 'The account is in groups of several tenants. Begin again with one of them as tenant.';
