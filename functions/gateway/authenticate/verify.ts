import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type JWTPayload,
  type ProtectedHeaderParameters,
} from 'jose';
import type { IssuerConfig } from '../../../shared/config.ts';
import { ALLOWED_ALGORITHMS } from '../../../shared/keys/algorithms.ts';
import type { KeySource } from '../../../shared/keys/key-source.ts';
import type { Clock } from '../../../shared/ports.ts';
import type { Verdict, Verify } from './outcome.ts';
import { identify, ORGANIZATION_CLAIM } from './principal.ts';
import { expiredToken, invalidToken } from './refusals.ts';

/** Seconds of clock difference forgiven on `exp` and `nbf`. */
export const CLOCK_TOLERANCE_S = 5;

/** An issuer whose tokens count, and the keys it signs with. */
export interface TrustedIssuer {
  readonly config: IssuerConfig;
  readonly keys: KeySource;
}

const ALGORITHMS = [...ALLOWED_ALGORITHMS];
/**
 * Of `at+jwt` no more is asked than of a plain JWT: RFC 9068 §4 has a resource server check issuer, audience, signature and
 * expiry; client_id, iat and jti are what its issuer owes (§2.2).
 */
const TYPES = new Set(['jwt', 'application/jwt', 'at+jwt', 'application/at+jwt']);
const REQUIRED_CLAIMS = ['exp', 'sub'];

/** Verifies signed tokens (RFC 7519, RFC 9068) of the trusted issuers. */
export function createJwtVerifier(issuers: readonly TrustedIssuer[], clock: Clock): Verify {
  const byUrl = new Map(issuers.map((issuer) => [issuer.config.url, issuer]));
  return async (token) => {
    const header = decode(() => decodeProtectedHeader(token));
    // Unverified, but it only chooses whose keys must fit; jwtVerify checks it again.
    const { iss } = decode(() => decodeJwt(token));
    const issuer = byUrl.get(iss ?? '');
    if (issuer === undefined) throw invalidToken('issuer not trusted');
    return verifyFor(issuer, token, header, clock);
  };
}

async function verifyFor(
  issuer: TrustedIssuer,
  token: string,
  header: ProtectedHeaderParameters,
  clock: Clock,
): Promise<Verdict> {
  const { alg, kid, typ } = header;
  if (alg === undefined || !ALLOWED_ALGORITHMS.includes(alg)) throw invalidToken('algorithm not allowed');
  if (kid !== undefined && typeof kid !== 'string') throw invalidToken('kid is no text');
  checkType(typ);
  const found = await issuer.keys.find(kid, alg);
  if (found === undefined) throw invalidToken('no such key at the issuer');
  const claims = await verifySignature(token, found.key, {
    algorithms: ALGORITHMS,
    issuer: issuer.config.url,
    audience: [...issuer.config.audiences],
    clockTolerance: CLOCK_TOLERANCE_S,
    currentDate: new Date(clock.now()),
    requiredClaims: REQUIRED_CLAIMS,
  });
  return {
    identity: identify(issuer.config, claims.sub, claims[ORGANIZATION_CLAIM]),
    claims,
    untilMs: (claims.exp ?? 0) * 1000,
    evidence: { source: issuer.keys, keyId: found.id },
  };
}

/** RFC 8725 §3.11: a token of another kind (logout, security event) must not pass for an access token. */
function checkType(typ: unknown): void {
  if (typ === undefined) return;
  if (typeof typ !== 'string' || !TYPES.has(typ.toLowerCase())) throw invalidToken('typ not allowed');
}

function decode<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw invalidToken('not a readable JWT', cause);
  }
}

async function verifySignature(
  token: string,
  key: Parameters<typeof jwtVerify>[1],
  options: Parameters<typeof jwtVerify>[2],
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, key, options)).payload;
  } catch (cause) {
    throw refusalOf(cause);
  }
}

/** Causes are not passed on where they hold the claims. */
function refusalOf(cause: unknown): Error {
  if (cause instanceof errors.JWTExpired) return expiredToken();
  if (cause instanceof errors.JWTClaimValidationFailed)
    return invalidToken(`claim ${cause.claim} ${cause.reason === 'missing' ? 'missing' : 'not accepted'}`);
  if (cause instanceof errors.JOSEError) return invalidToken(cause.code);
  return invalidToken('verification failed', cause);
}
