import {
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyOptions,
  type ProtectedHeaderParameters,
} from 'jose';
import { ProviderUnavailable } from '../errors.ts';
import { ALLOWED_ALGORITHMS, isAllowed } from './algorithms.ts';
import type { KeySource, Sought, VerificationKey } from './key-source.ts';

/** A token is not what its issuer signed for us. The message is for the log and quotes no token. */
export class JwtRefused extends Error {
  override readonly name = 'JwtRefused';
  readonly expired: boolean;

  constructor(reason: string, { expired = false, cause }: { expired?: boolean; cause?: unknown } = {}) {
    super(reason, { cause });
    this.expired = expired;
  }
}

export interface VerifiedJwt {
  readonly claims: JWTPayload;
  readonly header: ProtectedHeaderParameters;
  readonly key: VerificationKey;
}

export interface JwtCheck {
  readonly keys: KeySource;
  /** Who presents it, as in `Sought`. */
  readonly address: string;
  /** Without `algorithms`. */
  readonly options: JWTVerifyOptions;
}

const ALGORITHMS = [...ALLOWED_ALGORITHMS];

/**
 * Verifies a JWT by the keys of its issuer. What names a key that is not known makes them be fetched again, once. Rejects with
 * JwtRefused, and with ProviderUnavailable when the keys are undetermined.
 */
export async function verifyJwt(token: string, { keys, address, options }: JwtCheck): Promise<VerifiedJwt> {
  const header = headerOf(token);
  const { alg, kid } = header;
  if (alg === undefined || !isAllowed(alg)) throw new JwtRefused('algorithm not allowed');
  if (kid !== undefined && typeof kid !== 'string') throw new JwtRefused('kid is no text');
  const sought = { kid, alg, address };
  const checks = { ...options, algorithms: ALGORITHMS };
  const known = await keys.find(sought);
  if (known.length === 0) throw new JwtRefused(keys.refusal(kid) ?? 'no such key at the issuer');
  const verified =
    (await verifyByAny(token, known, checks)) ??
    (await verifyByAny(token, await replacements(keys, sought, known), checks));
  if (verified === undefined) throw new JwtRefused('signature does not fit');
  return { ...verified, header };
}

function headerOf(token: string): ProtectedHeaderParameters {
  try {
    return decodeProtectedHeader(token);
  } catch (cause) {
    throw new JwtRefused('not a readable JWT', { cause });
  }
}

/** A provider may put another key under the same kid. While it is away, the verdict of the held keys stands. */
async function replacements(
  keys: KeySource,
  sought: Sought,
  tried: readonly VerificationKey[],
): Promise<readonly VerificationKey[]> {
  try {
    return await keys.findNewer(sought, tried);
  } catch (error) {
    if (error instanceof ProviderUnavailable) return [];
    throw error;
  }
}

/** Returns undefined when no key verifies the signature; throws JwtRefused for faulty claims once one does. */
async function verifyByAny(
  token: string,
  keys: readonly VerificationKey[],
  options: JWTVerifyOptions,
): Promise<Omit<VerifiedJwt, 'header'> | undefined> {
  for (const key of keys) {
    try {
      return { claims: (await jwtVerify(token, key.key, options)).payload, key };
    } catch (cause) {
      if (!(cause instanceof errors.JWSSignatureVerificationFailed)) throw refusalOf(cause);
    }
  }
  return undefined;
}

/** Causes are not passed on where they hold the claims. */
function refusalOf(cause: unknown): JwtRefused {
  if (cause instanceof errors.JWTExpired) return new JwtRefused('expired', { expired: true });
  if (cause instanceof errors.JWTClaimValidationFailed)
    return new JwtRefused(`claim ${cause.claim} ${cause.reason === 'missing' ? 'missing' : 'not accepted'}`);
  if (cause instanceof errors.JOSEError) return new JwtRefused(cause.code);
  return new JwtRefused('verification failed', { cause });
}
