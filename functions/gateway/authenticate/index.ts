import { toRefusal } from '../../../shared/problem.ts';
import type { Clock, MaybePromise } from '../../../shared/ports.ts';
import { prove } from '../../../shared/proof.ts';
import type { Access } from '../rules/types.ts';
import { bearerToken, checkToken } from './bearer.ts';
import { TokenCache, type TokenCacheOptions } from './cache.ts';
import { isJws } from './jws.ts';
import type { Outcome, Verify } from './outcome.ts';
import type { Principal } from './principal.ts';
import { invalidToken, missingToken } from './refusals.ts';

/** What authentication reads of a request. */
export interface Credentials {
  readonly read: { readonly authorization: string | undefined };
  readonly address: string;
}

/**
 * The principal behind a request, or undefined on public rules, where no token is looked at: a bad one is neither a
 * fault nor an identity. Throws or rejects with Refusal `missing_token`, `invalid_token`, `invalid_request` or
 * `identity_provider_unavailable`. At once, without a promise, for a remembered token.
 */
export type Authenticate = (
  access: Pick<Access, 'kind'>,
  request: Credentials,
) => MaybePromise<Principal | undefined>;

export interface Authenticator {
  readonly authenticate: Authenticate;
  /** Forgets the remembered tokens of a caller, `<issuer name>|<sub>`. */
  readonly forget: (caller: string) => void;
}

export interface AuthenticatorDeps extends Omit<TokenCacheOptions, 'clock'> {
  readonly clock: Clock;
  readonly verifySigned: Verify;
  /** Absent: opaque tokens are refused. */
  readonly verifyOpaque: Verify | undefined;
  /** Called before a token that is not remembered is verified; throws to refuse. */
  readonly beforeVerify?: (address: string) => MaybePromise<void>;
}

const authenticated = prove<'authenticated'>();

export function createAuthenticator(deps: AuthenticatorDeps): Authenticator {
  const tokens = new TokenCache((token, address) => verify(token, address, deps), deps);
  return {
    authenticate: (access, request) => {
      if (access.kind === 'public') return undefined;
      const { authorization } = request.read;
      if (authorization === undefined) throw missingToken();
      const principal = tokens.verify(bearerToken(authorization), request.address);
      return principal instanceof Promise ? principal.catch(refuse) : principal;
    },
    forget: (caller) => {
      tokens.forget(caller);
    },
  };
}

async function verify(token: string, address: string, deps: AuthenticatorDeps): Promise<Outcome<Principal>> {
  checkToken(token);
  await deps.beforeVerify?.(address);
  const outcome = await verifierFor(token, deps)(token);
  if ('refusal' in outcome) return outcome;
  return { ...outcome, identity: authenticated(outcome.identity) };
}

function verifierFor(token: string, deps: AuthenticatorDeps): Verify {
  if (isJws(token)) return deps.verifySigned;
  if (deps.verifyOpaque === undefined) throw invalidToken('opaque, and introspection is not configured');
  return deps.verifyOpaque;
}

function refuse(error: unknown): never {
  throw toRefusal(error);
}
