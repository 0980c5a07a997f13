import { calculateJwkThumbprint, importJWK, type JWK } from 'jose';
import * as z from 'zod';
import { ProviderUnavailable } from '../errors.ts';
import { algorithmOf, canonicalAlgorithm, isAllowed } from './algorithms.ts';
import { withoutNulls } from './fetch-json.ts';
import type { RefusedKey, VerificationKey } from './key-source.ts';
import { weaknessOf } from './weak-rsa.ts';

/** Most keys tried per signature: each costs a verification. */
export const MAX_CANDIDATES = 8;

const setSchema = z.object({ keys: z.array(z.unknown()) });

const labelsSchema = z.object({
  kty: z.string(),
  kid: z.string().optional(),
  alg: z.string().optional(),
  use: z.string().optional(),
  key_ops: z.array(z.string()).optional(),
});

const rsaSchema = z.object({ kty: z.literal('RSA'), n: z.string(), e: z.string() });
const ecSchema = z.object({ kty: z.literal('EC'), crv: z.string(), x: z.string(), y: z.string() });
const okpSchema = z.object({ kty: z.literal('OKP'), crv: z.string(), x: z.string() });
const materialSchema = z.discriminatedUnion('kty', [rsaSchema, ecSchema, okpSchema]);

/** The imported verification keys of a JWK set (RFC 7517). */
export class KeySet {
  readonly #byId: ReadonlyMap<string, VerificationKey>;
  /** Signature keys that must not be used to verify. */
  readonly refused: readonly RefusedKey[];

  private constructor(keys: readonly VerificationKey[], refused: readonly RefusedKey[]) {
    this.#byId = new Map(keys.map((key) => [key.id, key]));
    this.refused = refused;
  }

  /** Reuses keys already imported in `previous`. Rejects with `ProviderUnavailable` when `json` is no JWK set. */
  static async parse(json: unknown, previous: KeySet | undefined): Promise<KeySet> {
    const parsed = setSchema.safeParse(withoutNulls(json));
    if (!parsed.success) throw new ProviderUnavailable('not a JWK set');
    const read = await Promise.all(parsed.data.keys.map((jwk) => importKey(withoutNulls(jwk), previous)));
    const keys = read.filter((key) => key !== undefined);
    return new KeySet(
      keys.filter((key) => 'key' in key),
      keys.filter((key) => 'reason' in key),
    );
  }

  /** Keys that may have made a signature with this header: several may share one `kid`, or have none. */
  candidates(kid: string | undefined, alg: string): readonly VerificationKey[] {
    const canonical = canonicalAlgorithm(alg);
    const fitting = [...this.#byId.values()].filter(
      (key) => key.alg === canonical && (kid === undefined || key.kid === kid),
    );
    return fitting.slice(0, MAX_CANDIDATES);
  }

  get(id: string): VerificationKey | undefined {
    return this.#byId.get(id);
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }
}

/**
 * Undefined for a key not meant for signatures, or of an unsupported algorithm: providers publish such legitimately.
 * One unusable key must not disable the others.
 */
async function importKey(
  jwk: unknown,
  previous: KeySet | undefined,
): Promise<VerificationKey | RefusedKey | undefined> {
  const labels = labelsSchema.safeParse(jwk);
  if (!labels.success) return { kid: undefined, reason: 'is not well-formed' };
  const { kty, kid, alg, use = 'sig', key_ops: operations = ['verify'] } = labels.data;
  if (kty === 'oct' || use !== 'sig' || !operations.includes('verify')) return undefined;
  if (alg !== undefined && !isAllowed(alg)) return undefined;
  const refuse = (reason: string): RefusedKey => ({ kid, reason });
  // A published private key is compromised.
  if (typeof jwk === 'object' && jwk !== null && 'd' in jwk) return refuse('is a private key');
  const material = materialSchema.safeParse(jwk);
  if (!material.success) return refuse('is not well-formed');
  const fault = faultOf(material.data, alg);
  if (fault !== undefined) return refuse(fault);
  try {
    return await imported(material.data, kid, alg, previous);
  } catch {
    return refuse('is not well-formed, or no point of its curve');
  }
}

function faultOf(material: z.output<typeof materialSchema>, alg: string | undefined): string | undefined {
  const crv = 'crv' in material ? material.crv : undefined;
  if (algorithmOf({ kty: material.kty, crv, alg }) === undefined)
    return alg === undefined ? 'is on a curve that is not supported' : 'does not go with its alg';
  return material.kty === 'RSA' ? weaknessOf(material.n, material.e) : undefined;
}

async function imported(
  jwk: JWK & { readonly kty: string },
  kid: string | undefined,
  declared: string | undefined,
  previous: KeySet | undefined,
): Promise<VerificationKey | undefined> {
  const alg = algorithmOf({ kty: jwk.kty, crv: jwk.crv, alg: declared });
  if (alg === undefined) return undefined;
  const id = `${alg} ${await calculateJwkThumbprint(jwk)} ${kid ?? ''}`;
  const held = previous?.get(id);
  if (held !== undefined) return held;
  const key = await importJWK(jwk, alg);
  return key instanceof Uint8Array ? undefined : { id, kid, alg, key };
}
