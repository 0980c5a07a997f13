interface AlgorithmEntry {
  readonly kty: 'RSA' | 'EC' | 'OKP';
  readonly crv?: string;
}

/** Asymmetric only: with a shared secret, any verifier could also sign (RFC 8725 §3.1). */
const ALGORITHMS: ReadonlyMap<string, AlgorithmEntry> = new Map([
  ['RS256', { kty: 'RSA' }],
  ['RS384', { kty: 'RSA' }],
  ['RS512', { kty: 'RSA' }],
  ['PS256', { kty: 'RSA' }],
  ['PS384', { kty: 'RSA' }],
  ['PS512', { kty: 'RSA' }],
  ['ES256', { kty: 'EC', crv: 'P-256' }],
  ['ES384', { kty: 'EC', crv: 'P-384' }],
  ['ES512', { kty: 'EC', crv: 'P-521' }],
  ['EdDSA', { kty: 'OKP', crv: 'Ed25519' }],
  ['Ed25519', { kty: 'OKP', crv: 'Ed25519' }],
]);

export const ALLOWED_ALGORITHMS: readonly string[] = [...ALGORITHMS.keys()];

export function isAllowed(alg: string): boolean {
  return ALGORITHMS.has(alg);
}

/** RFC 9864 names EdDSA over Ed25519 `Ed25519`; both names mean the same key. */
export function canonicalAlgorithm(alg: string): string {
  return alg === 'EdDSA' ? 'Ed25519' : alg;
}

/**
 * The one algorithm a public key may be used with: its own `alg`, else the default of its type. An RSA key without
 * `alg` is RS256, the default of OpenID Connect Core §15.1. Undefined when key type and algorithm do not match.
 */
export function algorithmOf(key: {
  kty: string;
  crv?: string | undefined;
  alg?: string | undefined;
}): string | undefined {
  const alg = key.alg ?? defaultAlgorithm(key.kty, key.crv);
  const entry = alg === undefined ? undefined : ALGORITHMS.get(alg);
  if (alg === undefined || entry?.kty !== key.kty) return undefined;
  return entry.crv === undefined || entry.crv === key.crv ? canonicalAlgorithm(alg) : undefined;
}

function defaultAlgorithm(kty: string, crv: string | undefined): string | undefined {
  if (kty === 'RSA') return 'RS256';
  for (const [alg, entry] of ALGORITHMS) if (entry.crv !== undefined && entry.crv === crv) return alg;
  return undefined;
}
