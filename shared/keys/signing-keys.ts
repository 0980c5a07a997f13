import { calculateJwkThumbprint, exportJWK, generateKeyPair, type CryptoKey, importJWK } from 'jose';
import * as z from 'zod';

/** Base64url of the 32 bytes of a P-256 coordinate or scalar. */
const coordinate = z.string().regex(/^[\w-]{43}$/);

const keySchema = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  kid: z.string().min(1),
  alg: z.literal('ES256').optional(),
  x: coordinate,
  y: coordinate,
  d: coordinate,
});

const setSchema = z.object({ keys: z.tuple([keySchema], keySchema) });

type PrivateKey = z.infer<typeof keySchema>;

export interface PublicKey {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly kid: string;
  readonly alg: 'ES256';
  readonly use: 'sig';
  readonly x: string;
  readonly y: string;
}

export interface PublicKeySet {
  readonly keys: readonly PublicKey[];
}

/** Keys to sign with ES256: the first signs, all are published. */
export interface SigningKeys {
  readonly kid: string;
  readonly published: PublicKeySet;
  /** The private scalars (32 bytes) in the same order, to derive further keys from. */
  readonly scalars: readonly Uint8Array[];
  signingKey(): Promise<CryptoKey>;
}

/** Reads a private JWK set (RFC 7517). Throws an Error that names the faulty members, never their content. */
export function parseSigningKeys(json: string): SigningKeys {
  const parsed = setSchema.safeParse(parseJson(json));
  if (!parsed.success) {
    const places = parsed.error.issues.map((issue) => issue.path.join('.') || 'the whole');
    throw new Error(`not a private JWK set of P-256 keys with kid: look at ${places.join(', ')}`);
  }
  const { keys } = parsed.data;
  const kids = new Set(keys.map((key) => key.kid));
  if (kids.size < keys.length) throw new Error('two signing keys have the same kid');
  return signingKeys(keys);
}

/** One new key for this process only. */
export async function makeSigningKeys(): Promise<SigningKeys> {
  return parseSigningKeys(await makePrivateKeys());
}

/** A private JWK set of one new key. */
export async function makePrivateKeys(): Promise<string> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(privateKey);
  return JSON.stringify({ keys: [{ ...jwk, kid: await calculateJwkThumbprint(jwk) }] });
}

function signingKeys(keys: readonly [PrivateKey, ...PrivateKey[]]): SigningKeys {
  const [first] = keys;
  // Imported when first needed: on Workers, module scope and start cannot await. The value is kept, not the promise.
  let imported: CryptoKey | undefined;
  return {
    kid: first.kid,
    published: { keys: keys.map(publicHalf) },
    scalars: keys.map(({ d }) => new Uint8Array(Buffer.from(d, 'base64url'))),
    signingKey: async () => {
      imported ??= await importPrivate(first);
      return imported;
    },
  };
}

async function importPrivate({ kty, crv, x, y, d }: PrivateKey): Promise<CryptoKey> {
  return importJWK({ kty, crv, x, y, d }, 'ES256');
}

/** Member by member, so that no private one slips through. */
function publicHalf({ kty, crv, kid, x, y }: PrivateKey): PublicKey {
  return { kty, crv, kid, alg: 'ES256', use: 'sig', x, y };
}

/** The engine's own message would quote the text, which holds private keys. */
function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new Error('not JSON');
  }
}

/** Whether `parseSigningKeys` takes it. */
export function canSign(jwks: string): boolean {
  try {
    parseSigningKeys(jwks);
    return true;
  } catch {
    return false;
  }
}
