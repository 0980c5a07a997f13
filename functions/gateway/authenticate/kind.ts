import type { IssuerConfig } from '../../../shared/config.ts';
import type { Claims } from './principal.ts';

/**
 * `at+jwt` is checked like a plain JWT: RFC 9068 §4 has a resource server check issuer, audience, signature and
 * expiry; client_id, iat and jti are what its issuer owes (§2.2).
 */
const ACCESS_TOKENS = new Set(['at+jwt', 'application/at+jwt']);
const PLAIN = new Set(['jwt', 'application/jwt']);

/** Keycloak's payload `typ` is the kind of the token; `Bearer` is the one to present. */
const OTHER_KINDS = new Set(['id', 'serialized-id', 'refresh', 'offline', 'logout']);

/** RFC 8725 §3.11: whether the header names a kind of token (logout, security event) that is no access token of the issuer. */
export function isAccessTokenType(typ: unknown, { typ: wanted }: Pick<IssuerConfig, 'typ'>): boolean {
  if (typ === undefined || typ === null) return wanted === 'any';
  if (typeof typ !== 'string') return false;
  const lower = typ.toLowerCase();
  return ACCESS_TOKENS.has(lower) || (wanted === 'any' && PLAIN.has(lower));
}

/**
 * The claim by which a token is for its client and not for an API: hashes of OpenID Connect Core §3.3.2.11, the events of a
 * logout or security event token, what Keycloak and Cognito write. `nonce` alone proves nothing: older Keycloak puts it into
 * access tokens. Undefined when there is no such sign.
 */
export function idTokenSign(claims: Claims): string | undefined {
  const sign = ['at_hash', 'c_hash', 's_hash', 'events'].find((name) => claims[name] != null);
  if (sign !== undefined) return `claim ${sign}: no access token`;
  const { typ, token_use: use } = claims;
  if (typeof typ === 'string' && OTHER_KINDS.has(typ.toLowerCase())) return 'claim typ: no access token';
  return use != null && use !== 'access' ? 'claim token_use: no access token' : undefined;
}

/**
 * RFC 7519 §4.1.3. Cognito's access tokens have no `aud`, and name in `client_id` for whom they were made: where they say
 * that they are access tokens, it stands in.
 */
export function audiencesOf({ aud, token_use: use, client_id: client }: Claims): readonly unknown[] {
  if (aud != null) return [aud].flat();
  return use === 'access' && client != null ? [client] : [];
}
