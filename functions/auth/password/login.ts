import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { OwnRoute, RouteContext } from '../../../shared/edge/frame.ts';
import { jsonBody, text } from '../../../shared/edge/json-body.ts';
import { toRefusal } from '../../../shared/edge/problem.ts';
import { rateLimited } from '../../../shared/edge/quota.ts';
import { Refusal } from '../../../shared/errors.ts';
import { sessionCookies, type TokenPair } from '../../../shared/sessions/cookies.ts';
import type { Origin } from '../../../shared/sessions/refresh.ts';
import { requireNoOtherSite } from '../caller.ts';
import { originOf, type AuthDeps, type PasswordDeps } from '../deps.ts';
import { answerJson, formBody, isForm, mail, password, seeOther } from '../http.ts';
import { localPath } from '../oauth/return-to.ts';
import { refusalPage } from '../../../shared/edge/page.ts';
import { migrationOf, startUrl, tokensOf, userOf } from '../user.ts';
import { accountsOf, comparable, type Account, type Accounts } from './accounts.ts';
import { beginByPassword, moreAccounts } from './begin.ts';
import { isCut, type UsableHash } from './hashes.ts';
import { recordHeldBack, recordRefused, type Refused } from './refused.ts';
import { retiredWithColumn } from './retired.ts';

const Credentials = z.object({
  tenant: text(100).nullish(),
  email: mail,
  password,
  cookie: z.boolean().nullish(),
});

type Credentials = z.output<typeof Credentials>;

/** Of a page that works without scripts: its answer leads on. */
const FormFields = z.object({
  email: mail,
  password,
  tenant: z
    .string()
    .max(100)
    .optional()
    .transform((slug) => (slug === '' ? undefined : slug)),
  cookie: z.literal('true').transform(() => true),
  return_to: z.string().optional(),
});

export function loginRoute(deps: PasswordDeps): OwnRoute {
  const count = deps.platform.metrics.counter(
    'sallyport_sign_ins_total',
    'Sign-ins by password by what became of them.',
    'outcome',
  );
  const counted = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      const done = await work();
      count('ok');
      return done;
    } catch (error) {
      count(toRefusal(error).code);
      throw error;
    }
  };
  return {
    path: '/api/v1/auth/login',
    methods: ['POST'],
    quota: deps.config.loginRate.address,
    page: (shown, requestId, { headers }) =>
      refusalPage(shown, requestId, ownPage(headers.get('referer'), deps.sessions.publicUrl)),
    answer: (request, context) =>
      counted(() => retiredWithColumn(deps, async () => login(request, context, deps))),
  };
}

async function login(request: Request, context: RouteContext, deps: PasswordDeps): Promise<Response> {
  const form = isForm(request) ? await formBody(context, FormFields) : undefined;
  const credentials = form ?? (await jsonBody(context, Credentials));
  if (credentials.cookie === true) requireNoOtherSite(request, deps);
  await limitAccount(credentials.email, deps);
  const { account, pair } = await signIn(credentials, originOf(request, context), deps);
  const user = { user: userOf(account), migration: migrationOf(account, deps) };
  if (credentials.cookie !== true) return answerJson({ ...tokensOf(pair), ...user });
  context.setCookies(sessionCookies(pair, deps.sessions));
  if (form === undefined) return answerJson(user);
  return seeOther(localPath(form.return_to ?? null, deps.sessions.publicUrl));
}

/** The page of ours that a form stands on; null for any other. */
function ownPage(referer: string | null, origin: string): string | null {
  return referer?.startsWith(`${origin}/`) === true ? localPath(referer.slice(origin.length), origin) : null;
}

/** Counts a try for the account before anything is computed, whether there is one or not. Throws Refusal `rate_limited`. */
export async function limitAccount(
  email: string,
  { counters, config }: Pick<AuthDeps, 'counters' | 'config'>,
): Promise<void> {
  const policy = config.loginRate.account;
  const name = createHash('sha256').update(email.toLowerCase()).digest('base64url').slice(0, 22);
  const taken = await counters.take({ caller: `account|${name}`, policy });
  if (!taken.allowed) throw rateLimited(policy, taken);
}

interface SignedIn {
  readonly account: Account;
  readonly pair: TokenPair;
}

/** Throws Refusal `invalid_credentials`, `tenant_required`, `password_deadline_passed`, `sign_in_busy`, and as `Database`. */
async function signIn(given: Credentials, origin: Origin, deps: PasswordDeps): Promise<SignedIn> {
  // Once more where the row changed meanwhile: another sign-in may have renewed the hash of the same password.
  const signedIn = (await attempt(given, origin, deps)) ?? (await attempt(given, origin, deps));
  if (signedIn === undefined) throw new Refusal('invalid_credentials', 'the account changed meanwhile');
  return signedIn;
}

/** Undefined where the account was locked, deactivated or changed meanwhile. Throws as `signIn`. */
async function attempt(
  given: Credentials,
  origin: Origin,
  deps: PasswordDeps,
): Promise<SignedIn | undefined> {
  const { database } = deps;
  const found = await accountsOf(database, given.email, given.tenant ?? null);
  if (found.accounts.length > found.most) await database.execute(moreAccounts(found.accounts.length));
  const { fits, refused } = await compare(given, found, deps);
  const [first, second] = fits;
  if (first === undefined) {
    await recordRefused(database, refused, origin);
    throw refusedSignIn(refused);
  }
  if (second !== undefined) {
    const ids = fits.map(({ account }) => account.userId);
    await recordHeldBack(database, ids, 'tenant_required', origin);
    throw severalTenants(fits.map(({ account }) => account.slug));
  }
  const { account, hash } = first;
  if (account.deadlinePassed) {
    await recordHeldBack(database, [account.userId], 'password_deadline_passed', origin);
    throw deadlinePassed(account, deps);
  }
  const pair = await beginByPassword({ account, hash, password: given.password, origin }, deps);
  if (pair === undefined) return undefined;
  const { carryOver } = deps;
  if (carryOver !== undefined && !isCut(given.password))
    deps.platform.background(carryOver.signedIn(account, given.password));
  return { account, pair };
}

interface Fit {
  readonly account: Account;
  readonly hash: UsableHash;
}

interface Compared {
  readonly fits: readonly Fit[];
  readonly refused: readonly Refused[];
}

/**
 * Compares with every account that could sign in. Where none fits, as much is computed as for the dearest hash in use, for every account
 * that an address may have: so the time of a refusal shows neither whether there is an account nor of which kind.
 */
async function compare(given: Credentials, found: Accounts, deps: PasswordDeps): Promise<Compared> {
  const { hashing, config } = deps;
  const dearest = found.dearest ?? config.passwordCost;
  const fits: Fit[] = [];
  const refused: Refused[] = [];
  const paid: number[] = [];
  for (const account of found.accounts) {
    const hash = comparable(account);
    if (typeof hash === 'string') {
      refused.push({ userId: account.userId, why: hash });
      continue;
    }
    paid.push(hash.cost);
    if (await hashing.verify(given.password, hash)) fits.push({ account, hash });
    else refused.push({ userId: account.userId, why: 'wrong_password' });
  }
  if (fits.length > 0) return { fits, refused };
  const owed = given.tenant == null ? Math.max(found.most, found.accounts.length) : 1;
  for (let at = 0; at < owed; at += 1) await hashing.pay(given.password, paid[at] ?? 0, dearest);
  return { fits, refused: refused.length > 0 ? refused : [{ userId: null, why: 'unknown' }] };
}

/** One body for all: the reasons are in the log and in the audit alone. */
export function refusedSignIn(refused: readonly Refused[]): Refusal {
  return new Refusal('invalid_credentials', refused.map(({ why }) => why).join(', '));
}

function severalTenants(slugs: readonly string[]): Refusal {
  return new Refusal('tenant_required', 'the credentials fit several tenants', {
    detail: `The credentials fit several tenants. Send the request again with one of them as tenant: ${slugs.toSorted().join(', ')}.`,
  });
}

function deadlinePassed(account: Account, deps: AuthDeps): Refusal {
  const url = startUrl(account, deps);
  const where = url === null ? 'Sign in by the identity provider.' : `Go on at ${url}`;
  return new Refusal('password_deadline_passed', 'the deadline of the tenant or of the wave has passed', {
    detail: `The password stopped counting at ${account.deadline?.toISOString() ?? 'the deadline'}. ${where}`,
  });
}
