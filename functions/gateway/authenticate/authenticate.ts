import { toRefusal } from '../../../shared/edge/problem.ts';
import type { Clock, MaybePromise } from '../../../shared/ports/runtime.ts';
import { prove } from '../../../shared/proof.ts';
import type { Rule } from '../match/types.ts';
import type { Held, Renewable, Renewing, SessionCookies } from './cookies.ts';
import type { Locate, Located } from './people.ts';
import { holdsToken, presentedToken, type Presented } from './places.ts';
import type {
  Claims,
  Identity,
  Outcome,
  Person,
  Principal,
  Rejected,
  Verdict,
  Verified,
  Verify,
} from './principal.ts';
import { TokenCache, type TokenCacheOptions } from './remembered.ts';
import { locateSession, SESSION } from './sessions.ts';
import { NO_DATABASE } from './tenancies.ts';
import { bearerToken, checkToken, invalidToken, isJws, missingToken } from './token.ts';

/**
 * The principal of a request, or undefined on public rules, where the token is ignored: a bad one is neither a fault nor
 * an identity. Throws or rejects with Refusal `missing_token`, `invalid_token`, `invalid_request`, `forbidden` or `cross_site`
 * (a cookie from another site's page), `invalid_refresh`, `identity_provider_unavailable`, or as `Database`. Synchronous for a
 * cached token. `wanted`: the claims that rules demand. `answer`: absent where a session cannot be renewed, as nothing sets
 * cookies.
 */
export type Authenticate = (
  rule: Pick<Rule, 'access' | 'token'>,
  request: Renewable,
  wanted: ReadonlySet<string>,
  answer?: Renewing,
) => MaybePromise<Principal | undefined>;

export interface Authenticator {
  readonly authenticate: Authenticate;
  /** Makes void what is remembered of an OpenFGA user: its tokens, and all that is found by them. Returns its names. */
  readonly forget: (user: string) => readonly string[];
}

export interface AuthenticatorDeps extends Omit<TokenCacheOptions, 'clock'> {
  readonly clock: Clock;
  readonly verifySigned: Verify;
  /** Absent: opaque tokens are refused. */
  readonly verifyOpaque: Verify | undefined;
  /** Origins whose pages may send a token in a cookie, beside the API's own. */
  readonly allowedOrigins?: readonly string[];
  /** Absent: subjects are taken as they are, and nobody is in a tenant. */
  readonly locate?: Locate;
  /** Absent: no sessions of our own. */
  readonly sessions?: SessionCookies;
  /** Called before an uncached token is verified; throws to refuse. */
  readonly beforeVerify?: (address: string) => MaybePromise<void>;
}

const authenticated = prove<'authenticated'>();
const admit = (verified: Verified, person: Person): Principal => authenticated({ ...verified, person });

export function createAuthenticator(deps: AuthenticatorDeps): Authenticator {
  const tokens = new TokenCache(
    (token, address, wanted, before) => verify({ token, address, wanted, before }, deps),
    admit,
    deps,
  );
  const { sessions } = deps;
  const origins = new Set(deps.allowedOrigins);
  return {
    authenticate: ({ access, token: places }, request, wanted, answer) => {
      if (access.kind === 'public') return undefined;
      const held = sessions === undefined ? undefined : sessionIn(request, places, sessions);
      const principal =
        held === undefined || sessions === undefined
          ? tokens.verify(
              places === undefined ? tokenInHeader(request) : presentedToken(places, request, origins),
              request.address,
              wanted,
            )
          : sessions.principal(held, { request, answer }, (token) =>
              tokens.verify(token, request.address, wanted),
            );
      return principal instanceof Promise ? principal.catch(refuse) : principal;
    },
    forget: (user) => tokens.forget(user),
  };
}

function tokenInHeader({ read: { authorization } }: Presented): string {
  if (authorization === undefined) throw missingToken();
  return bearerToken(authorization);
}

/** A session cookie counts where neither Authorization nor any place of the rule has a token. */
function sessionIn(request: Renewable, places: Rule['token'], sessions: SessionCookies): Held | undefined {
  const { authorization, cookie } = request.read;
  if (cookie === undefined || authorization !== undefined) return undefined;
  return places !== undefined && holdsToken(places, request) ? undefined : sessions.of(request);
}

interface Verifying {
  readonly token: string;
  readonly address: string;
  readonly wanted: ReadonlySet<string>;
  readonly before: Verified | undefined;
}

async function verify(
  { token, address, wanted, before }: Verifying,
  deps: AuthenticatorDeps,
): Promise<Outcome<Verified>> {
  checkToken(token);
  await deps.beforeVerify?.(address);
  const verdict = await verifierFor(token, deps)(token, address);
  if ('refusal' in verdict) return verdict;
  const { claims, evidence } = verdict;
  const located = await locate({ ...verdict, token }, before, deps);
  if ('refusal' in located) return located;
  const { identity, tenancies, untilMs } = located;
  return {
    identity: { ...identity, claims: pick(claims, wanted), tenancies },
    untilMs: Math.min(verdict.untilMs, untilMs),
    ...(evidence !== undefined && { evidence }),
  };
}

async function locate(
  verdict: Verdict & { readonly identity: Identity; readonly claims: Claims; readonly token: string },
  before: Verified | undefined,
  deps: AuthenticatorDeps,
): Promise<Located | Rejected> {
  const { identity, claims } = verdict;
  if (identity.issuerName === SESSION) return locateSession(identity, claims);
  if (deps.locate === undefined) return { identity, tenancies: NO_DATABASE, untilMs: Infinity };
  return deps.locate(verdict, before);
}

const NONE: Claims = Object.freeze({});

/** All claims of 10,000 tokens would take a multiple of the memory of the tokens. */
function pick(claims: Claims, wanted: ReadonlySet<string>): Claims {
  if (wanted.size === 0) return NONE;
  return Object.fromEntries(Object.entries(claims).filter(([name]) => wanted.has(name)));
}

function verifierFor(token: string, deps: AuthenticatorDeps): Verify {
  if (isJws(token)) return deps.verifySigned;
  if (deps.verifyOpaque === undefined) throw invalidToken('opaque, and introspection is not configured');
  return deps.verifyOpaque;
}

function refuse(error: unknown): never {
  throw toRefusal(error);
}
