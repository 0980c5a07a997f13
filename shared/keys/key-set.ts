import { calculateJwkThumbprint, importJWK, type JWK } from 'jose';
import * as z from 'zod';
import { ProviderUnavailable } from '../errors.ts';
import { algorithmOf, canonicalAlgorithm } from './algorithms.ts';
import type { VerificationKey } from './key-source.ts';

/** Base64url length of a 2048-bit modulus: RFC 7518 §3.3 allows no shorter RSA key. */
const MIN_RSA_LENGTH = 342;

const setSchema = z.object({ keys: z.array(z.unknown()) });

const rsaSchema = z.object({ kty: z.literal('RSA'), n: z.string().min(MIN_RSA_LENGTH), e: z.string() });
const ecSchema = z.object({ kty: z.literal('EC'), crv: z.string(), x: z.string(), y: z.string() });
const okpSchema = z.object({ kty: z.literal('OKP'), crv: z.string(), x: z.string() });
const materialSchema = z.discriminatedUnion('kty', [rsaSchema, ecSchema, okpSchema]);
const labelsSchema = z.object({
  kid: z.string().optional(),
  alg: z.string().optional(),
  use: z.literal('sig').optional(),
  key_ops: z
    .array(z.string())
    .refine((operations) => operations.includes('verify'))
    .optional(),
  // A provider that publishes its private key has lost it to everybody.
  d: z.never().optional(),
});

/** The keys of a JWK set that may verify signatures, imported. */
export class KeySet {
  readonly #keys: readonly VerificationKey[];
  readonly #byId: ReadonlyMap<string, VerificationKey>;

  private constructor(keys: readonly VerificationKey[]) {
    this.#keys = keys;
    this.#byId = new Map(keys.map((key) => [key.id, key]));
  }

  /** Keys already imported in `previous` are taken over. Throws `ProviderUnavailable` when it is no JWK set. */
  static async parse(json: unknown, previous: KeySet | undefined): Promise<KeySet> {
    const parsed = setSchema.safeParse(json);
    if (!parsed.success) throw new ProviderUnavailable('not a JWK set');
    const keys = await Promise.all(parsed.data.keys.map((jwk) => importKey(jwk, previous)));
    return new KeySet(keys.filter((key) => key !== undefined));
  }

  find(kid: string | undefined, alg: string): VerificationKey | undefined {
    const canonical = canonicalAlgorithm(alg);
    const fits = (key: VerificationKey): boolean =>
      key.alg === canonical && (kid === undefined || key.kid === kid);
    const first = this.#keys.find(fits);
    if (kid !== undefined || first === undefined) return first;
    return this.#keys.findLast(fits) === first ? first : undefined;
  }

  get(id: string): VerificationKey | undefined {
    return this.#byId.get(id);
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }
}

/** Undefined for what this gateway cannot use: one odd key must not take the others down. */
async function importKey(jwk: unknown, previous: KeySet | undefined): Promise<VerificationKey | undefined> {
  const material = materialSchema.safeParse(jwk);
  const labels = labelsSchema.safeParse(jwk);
  if (!material.success || !labels.success) return undefined;
  const { kid, alg: declared } = labels.data;
  const publicJwk: JWK = material.data;
  const alg = algorithmOf({ kty: material.data.kty, crv: publicJwk.crv, alg: declared });
  if (alg === undefined) return undefined;
  try {
    const id = `${alg} ${await calculateJwkThumbprint(publicJwk)} ${kid ?? ''}`;
    const known = previous?.get(id);
    if (known !== undefined) return known;
    const key = await importJWK(publicJwk, alg);
    return key instanceof Uint8Array ? undefined : { id, kid, alg, key };
  } catch {
    return undefined;
  }
}
