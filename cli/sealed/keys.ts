import { createPrivateKey, createPublicKey } from 'node:crypto';
import { calculateJwkThumbprint, importJWK, type CryptoKey, type JWK } from 'jose';
import * as z from 'zod';
import { Failure } from '../failure.ts';
import { readText } from '../input.ts';

/** A key of someone who can open an archive or a backup, or seals one. */
export interface SealingKey {
  readonly key: CryptoKey;
  /** Of JWE (RFC 7518 §4). */
  readonly alg: 'RSA-OAEP-256' | 'ECDH-ES+A256KW';
  /** Of the public half (RFC 7638): tells keys apart. */
  readonly thumbprint: string;
}

const Key = z.looseObject({
  kty: z.enum(['EC', 'OKP', 'RSA']),
  crv: z.enum(['P-256', 'P-384', 'P-521', 'X25519']).optional(),
  n: z.string().optional(),
  d: z.string().optional(),
});
const Text = z.union([Key, z.object({ keys: z.tuple([Key]) }).transform(({ keys: [only] }) => only)]);

/** Of 2048 bits, in base64url. */
const RSA_LEAST = 342;

/** The public key that is encrypted to. Throws Failure, for a private one too: it belongs to who restores. */
export async function readRecipient(file: string): Promise<SealingKey> {
  const jwk = await read(file, 'public');
  if (jwk.d !== undefined)
    throw new Failure(
      `${file} is a private key: an archive or a backup is encrypted to the public one, so keep this away from here`,
    );
  return imported(file, jwk);
}

/** The private key that opens what was encrypted to its public half. Throws Failure. */
export async function readOpener(file: string): Promise<SealingKey> {
  const jwk = await read(file, 'private');
  if (jwk.d === undefined)
    throw new Failure(`${file} is a public key: the private one opens what was encrypted to it`);
  return imported(file, jwk);
}

async function read(file: string, kind: string): Promise<z.output<typeof Key>> {
  const text = await readText(file);
  try {
    return Text.parse(jwkOf(text));
  } catch {
    throw new Failure(
      `${file} is no ${kind} JWK or PEM: a key of P-256, P-384, P-521, X25519 or RSA, without a passphrase`,
    );
  }
}

/** Of JSON, or of PEM as openssl writes it. A private PEM stays private: it is not taken for its public half. */
function jwkOf(text: string): unknown {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    return createPrivateKey(text).export({ format: 'jwk' });
  if (/-----BEGIN [A-Z ]*PUBLIC KEY-----/.test(text)) return createPublicKey(text).export({ format: 'jwk' });
  return JSON.parse(text);
}

/** What a key was made for elsewhere does not matter here. */
function withoutPurpose(jwk: z.output<typeof Key>): JWK {
  const purpose = ['use', 'key_ops', 'alg'];
  return Object.fromEntries(Object.entries(jwk).filter(([name]) => !purpose.includes(name)));
}

async function imported(file: string, jwk: z.output<typeof Key>): Promise<SealingKey> {
  if (jwk.kty === 'RSA' && (jwk.n?.length ?? 0) < RSA_LEAST)
    throw new Failure(`${file} is an RSA key of less than 2048 bits`);
  const alg = jwk.kty === 'RSA' ? 'RSA-OAEP-256' : 'ECDH-ES+A256KW';
  try {
    const key = await importJWK(withoutPurpose(jwk), alg);
    if (key instanceof Uint8Array) throw new TypeError('a symmetric key');
    return { key, alg, thumbprint: await calculateJwkThumbprint(withoutPurpose(jwk)) };
  } catch (error) {
    throw new Failure(`${file} is no usable JWK`, { cause: error });
  }
}

/** The public half of a private key: what is encrypted to it, its owner alone opens. Throws Failure. */
export async function readPublicHalf(file: string): Promise<SealingKey> {
  const { kty, crv, n, e, x, y } = (await read(file, 'private')) as JWK;
  const half = { kty, crv, n, e, x, y };
  return imported(
    file,
    Key.parse(Object.fromEntries(Object.entries(half).filter(([, value]) => value !== undefined))),
  );
}
