import { calculateJwkThumbprint, importJWK, type JWK } from 'jose';
import * as z from 'zod';
import { ProviderUnavailable } from '../errors.ts';
import { algorithmOf, canonicalAlgorithm, isAllowed } from './algorithms.ts';
import { withoutNulls } from './fetch-json.ts';
import type { RefusedKey, VerificationKey } from './key-source.ts';
import { weaknessOf } from './weak-rsa.ts';

/** As many keys are tried with one signature: each costs a verification. */
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

/** The keys of a JWK set that may verify signatures, imported. */
export class KeySet {
  readonly #byId: ReadonlyMap<string, VerificationKey>;
  /** Keys for signatures that must not verify any. */
  readonly refused: readonly RefusedKey[];

  private constructor(keys: readonly VerificationKey[], refused: readonly RefusedKey[]) {
    this.#byId = new Map(keys.map((key) => [key.id, key]));
    this.refused = refused;
  }

  /** Keys already imported in `previous` are taken over. Throws `ProviderUnavailable` when it is no JWK set. */
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

  /** Those that a signature with this header may be of: several may share one `kid`, or have none. */
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
 * Undefined for a key that is for something else than signatures, or of an algorithm nobody here verifies: providers
 * publish such ones rightly. One odd key must not take the others down.
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
  // A provider that publishes its private key has lost it to everybody.
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
  const known = previous?.get(id);
  if (known !== undefined) return known;
  const key = await importJWK(jwk, alg);
  return key instanceof Uint8Array ? undefined : { id, kid, alg, key };
}
