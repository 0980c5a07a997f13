import { toRefusal } from '../../../shared/edge/problem.ts';
import type { Clock, MaybePromise } from '../../../shared/ports/runtime.ts';
import { prove } from '../../../shared/proof.ts';
import type { Rule } from '../match/types.ts';
import { presentedToken, type Presented } from './places.ts';
import type { Claims, Outcome, Person, Principal, Verified, Verify } from './principal.ts';
import { TokenCache, type TokenCacheOptions } from './remembered.ts';
import { bearerToken, checkToken, invalidToken, isJws, missingToken } from './token.ts';
import type { IssuersConfig } from '../../../shared/configuration/issuers.ts';
import type { IssuerName } from '../../../shared/identity/subjects.ts';
import { createDiscovery, type ProviderDeps } from '../../../shared/keys/discovery.ts';
import type { KeySource } from '../../../shared/keys/key-source.ts';
import { createKeySource } from '../../../shared/keys/remote-keys.ts';
import { createIntrospectors } from './introspect.ts';
import { createJwtVerifier, type TrustedIssuer } from './verify.ts';

/** The parts of a request that authentication reads. */
export interface Credentials extends Presented {
  readonly address: string;
}

/**
 * The principal of a request, or undefined on public rules, where the token is ignored: a bad one is neither a fault nor
 * an identity. Throws or rejects with Refusal `missing_token`, `invalid_token`, `invalid_request`, `forbidden` (a cookie
 * from another site's page) or `identity_provider_unavailable`. Synchronous for a cached token. `wanted`: the claims that
 * rules demand.
 */
export type Authenticate = (
  rule: Pick<Rule, 'access' | 'token'>,
  request: Credentials,
  wanted: ReadonlySet<string>,
) => MaybePromise<Principal | undefined>;

export interface Authenticator {
  readonly authenticate: Authenticate;
  /** Makes void what is remembered of an OpenFGA user: its tokens, and all that is found by them. */
  readonly forget: (user: string) => void;
}

export interface AuthenticatorDeps extends Omit<TokenCacheOptions, 'clock'> {
  readonly clock: Clock;
  readonly verifySigned: Verify;
  /** Absent: opaque tokens are refused. */
  readonly verifyOpaque: Verify | undefined;
  /** Origins whose pages may send a token in a cookie, beside the API's own. */
  readonly allowedOrigins?: readonly string[];
  /** Called before an uncached token is verified; throws to refuse. */
  readonly beforeVerify?: (address: string) => MaybePromise<void>;
}

const authenticated = prove<'authenticated'>();
const admit = (verified: Verified, person: Person): Principal => authenticated({ ...verified, person });

export function createAuthenticator(deps: AuthenticatorDeps): Authenticator {
  const tokens = new TokenCache(
    (token, address, wanted) => verify(token, address, wanted, deps),
    admit,
    deps,
  );
  const origins = new Set(deps.allowedOrigins);
  return {
    authenticate: ({ access, token: places }, request, wanted) => {
      if (access.kind === 'public') return undefined;
      const token = places === undefined ? tokenInHeader(request) : presentedToken(places, request, origins);
      const principal = tokens.verify(token, request.address, wanted);
      return principal instanceof Promise ? principal.catch(refuse) : principal;
    },
    forget: (user) => {
      tokens.forget(user);
    },
  };
}

function tokenInHeader({ read: { authorization } }: Credentials): string {
  if (authorization === undefined) throw missingToken();
  return bearerToken(authorization);
}

async function verify(
  token: string,
  address: string,
  wanted: ReadonlySet<string>,
  deps: AuthenticatorDeps,
): Promise<Outcome<Verified>> {
  checkToken(token);
  await deps.beforeVerify?.(address);
  const verdict = await verifierFor(token, deps)(token, address);
  if ('refusal' in verdict) return verdict;
  const { claims, identity, ...rest } = verdict;
  return { ...rest, identity: { ...identity, claims: pick(claims, wanted) } };
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

export interface TrustDeps extends ProviderDeps {
  /** Key sources of issuers that need no HTTP. */
  readonly keySources?: Partial<Record<IssuerName, KeySource>>;
}

export interface Trust {
  readonly issuers: readonly TrustedIssuer[];
  readonly verifySigned: Verify;
  readonly verifyOpaque: Verify | undefined;
}

/** The verifiers of the configured issuers. */
export function trust(config: IssuersConfig, deps: TrustDeps): Trust {
  const discoveries = new Map(config.issuers.map(({ url }) => [url, createDiscovery(url, deps)]));
  const discoveryOf = (url: string) => discoveries.get(url) ?? createDiscovery(url, deps);
  const issuers = config.issuers.map((issuer) => ({
    config: issuer,
    keys: deps.keySources?.[issuer.name] ?? createKeySource(discoveryOf(issuer.url), deps),
  }));
  const { introspection } = config;
  return {
    issuers,
    verifySigned: createJwtVerifier(issuers, deps.clock),
    verifyOpaque: createIntrospectors(
      introspection.map((one) => [one, discoveryOf(one.issuer.url)] as const),
      deps,
    ),
  };
}
