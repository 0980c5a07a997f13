import { decodeJwt, decodeProtectedHeader, type JWTPayload, type ProtectedHeaderParameters } from 'jose';
import type { IssuerConfig } from '../../../shared/configuration/issuers.ts';
import { isAllowed } from '../../../shared/keys/algorithms.ts';
import type { KeySource } from '../../../shared/keys/key-source.ts';
import { JwtRefused, verifyJwt } from '../../../shared/keys/verify-jwt.ts';
import type { Clock } from '../../../shared/ports/runtime.ts';
import { ORGANIZATION_CLAIM, identify, type Claims, type Verdict, type Verify } from './principal.ts';
import { expiredToken, invalidToken } from './token.ts';

/** Seconds of leeway on `exp` and `nbf`: the issuer's clock is another. */
export const CLOCK_TOLERANCE_S = 5;

/** An issuer whose tokens are accepted, and its keys. */
export interface TrustedIssuer {
  readonly config: IssuerConfig;
  readonly keys: KeySource;
}

const REQUIRED_CLAIMS = ['exp', 'sub'];

/** Verifies signed tokens (RFC 7519, RFC 9068) of the trusted issuers. */
export function createJwtVerifier(issuers: readonly TrustedIssuer[], clock: Clock): Verify {
  const byUrl = new Map(issuers.map((issuer) => [issuer.config.url, issuer]));
  return async (token, address) => {
    const header = decode(() => decodeProtectedHeader(token));
    // Unverified, but it only selects the issuer whose keys must verify; jwtVerify checks it again.
    const { iss } = decode(() => decodeJwt(token));
    const issuer = byUrl.get(iss ?? '');
    if (issuer === undefined) throw invalidToken('issuer not trusted');
    return verifyFor(issuer, { token, header, address }, clock);
  };
}

interface Signed {
  readonly token: string;
  readonly header: ProtectedHeaderParameters;
  readonly address: string;
}

async function verifyFor(
  issuer: TrustedIssuer,
  { token, header, address }: Signed,
  clock: Clock,
): Promise<Verdict> {
  // RFC 8725 §3.1, before what the issuer demands of the type.
  if (!isAllowed(header.alg ?? '')) throw invalidToken('algorithm not allowed');
  if (!isAccessTokenType(header.typ, issuer.config)) throw invalidToken('typ not allowed');
  const options = {
    issuer: issuer.config.url,
    clockTolerance: issuer.config.leewaySeconds ?? CLOCK_TOLERANCE_S,
    currentDate: new Date(clock.now()),
    requiredClaims: REQUIRED_CLAIMS,
  };
  const { claims, key } = await verifyJwt(token, { keys: issuer.keys, address, options }).catch(refuse);
  checkClaims(claims, issuer.config);
  return {
    identity: {
      ...identify(issuer.config, claims.sub, claims[ORGANIZATION_CLAIM]),
      ...(typeof claims.iat === 'number' && { issuedAt: claims.iat * 1_000 }),
    },
    claims,
    untilMs: (claims.exp ?? 0) * 1000,
    evidence: { source: issuer.keys, keyId: key.id },
  };
}

function checkClaims(claims: JWTPayload, { audiences }: IssuerConfig): void {
  const meant = audiencesOf(claims);
  if (meant.length === 0) throw invalidToken('claim aud missing');
  if (!audiences.some((audience) => meant.includes(audience))) throw invalidToken('claim aud not accepted');
  const idToken = idTokenSign(claims);
  if (idToken !== undefined) throw invalidToken(idToken);
}

function refuse(error: unknown): never {
  if (!(error instanceof JwtRefused)) throw error;
  throw error.expired ? expiredToken() : invalidToken(error.message, error.cause);
}

function decode<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw invalidToken('not a readable JWT', cause);
  }
}

/**
 * `at+jwt` is checked like a plain JWT: RFC 9068 §4 has a resource server check issuer, audience, signature and
 * expiry; client_id, iat and jti are the issuer's duty (§2.2).
 */
const ACCESS_TOKENS = new Set(['at+jwt', 'application/at+jwt']);
const PLAIN = new Set(['jwt', 'application/jwt']);

/** Keycloak's payload `typ` is the kind of the token; `Bearer` is the one to present. */
const OTHER_KINDS = new Set(['id', 'serialized-id', 'refresh', 'offline', 'logout']);

/** RFC 8725 §3.11: false for a header `typ` (logout, security event) that is no access token of the issuer. */
function isAccessTokenType(typ: unknown, { typ: wanted }: Pick<IssuerConfig, 'typ'>): boolean {
  if (typ === undefined || typ === null) return wanted === 'any';
  if (typeof typ !== 'string') return false;
  const lower = typ.toLowerCase();
  return ACCESS_TOKENS.has(lower) || (wanted === 'any' && PLAIN.has(lower));
}

/**
 * The claim that marks a token as meant for its client and not for an API: hashes of OpenID Connect Core §3.3.2.11, the events
 * of a logout or security event token, and those of Keycloak and Cognito. `nonce` alone proves nothing: older Keycloak puts it
 * into access tokens. Undefined when there is none.
 */
export function idTokenSign(claims: Claims): string | undefined {
  const sign = ['at_hash', 'c_hash', 's_hash', 'events'].find((name) => claims[name] != null);
  if (sign !== undefined) return `claim ${sign}: no access token`;
  const { typ, token_use: use } = claims;
  if (typeof typ === 'string' && OTHER_KINDS.has(typ.toLowerCase())) return 'claim typ: no access token';
  return use != null && use !== 'access' ? 'claim token_use: no access token' : undefined;
}

/**
 * RFC 7519 §4.1.3. Cognito's access tokens have no `aud`, and name their client in `client_id`: with `token_use` `access` it
 * stands in.
 */
function audiencesOf({ aud, token_use: use, client_id: client }: Claims): readonly unknown[] {
  if (aud != null) return [aud].flat();
  return use === 'access' && client != null ? [client] : [];
}
