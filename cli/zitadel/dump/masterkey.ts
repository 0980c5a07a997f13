import { createDecipheriv, createPrivateKey } from 'node:crypto';
import * as z from 'zod';
import type { Dump, Encrypted } from './inspect.ts';

/** `fits`: by what; `foreign`: the key is of another database; `open`: there is nothing to prove it by. */
export type MasterkeyProof =
  | { readonly outcome: 'fits'; readonly by: string }
  | { readonly outcome: 'foreign'; readonly tried: number }
  | { readonly outcome: 'open' };

const IV_BYTES = 16;

/** zitadel's crypto.CryptoValue. */
const CryptoValue = z.object({ KeyID: z.string(), Crypted: z.string() });

/**
 * Whether a masterkey fits the data. Decrypting alone never fails, because AES-CFB has no authentication: so what lies below must be
 * what it has to be, a private key or a signing key.
 */
export function proveMasterkey(
  masterkey: Buffer,
  { encryptionKeys, encrypted }: Pick<Dump, 'encryptionKeys' | 'encrypted'>,
): MasterkeyProof {
  let tried = 0;
  for (const each of byWeight(encrypted)) {
    const value = CryptoValue.safeParse(jsonOf(each.value));
    const key = value.success ? encryptionKeys.get(value.data.KeyID) : undefined;
    if (!value.success || key === undefined) continue;
    tried += 1;
    // Encryption keys are base64url without padding, encrypted values base64.
    const dataKey = decrypted(masterkey, Buffer.from(key, 'base64url'));
    const plain = dataKey && decrypted(dataKey, Buffer.from(value.data.Crypted, 'base64'));
    if (plain !== undefined && isWhatItMustBe(each.kind, plain))
      return { outcome: 'fits', by: `${each.kind} ${each.id}` };
  }
  return tried === 0 ? { outcome: 'open' } : { outcome: 'foreign', tried };
}

const WEIGHT: readonly Encrypted['kind'][] = ['web key', 'private key', 'signing key of a target'];

/** Private keys first: their form leaves no doubt. */
function byWeight(encrypted: readonly Encrypted[]): readonly Encrypted[] {
  return encrypted.toSorted((one, other) => WEIGHT.indexOf(one.kind) - WEIGHT.indexOf(other.kind));
}

/** AES-256-CFB, the initialisation vector in front; undefined for what is no such text. */
function decrypted(key: Buffer, text: Buffer): Buffer | undefined {
  if (text.length <= IV_BYTES || key.length !== 32) return undefined;
  const cipher = createDecipheriv('aes-256-cfb', key, text.subarray(0, IV_BYTES));
  return Buffer.concat([cipher.update(text.subarray(IV_BYTES)), cipher.final()]);
}

const PrivateJwk = z.looseObject({ kty: z.string(), d: z.string() });
/** Sixteen random bytes are all of these once in ten million times. */
const SIGNING_KEY = /^[\x21-\x7e]{16,}$/;

function isWhatItMustBe(kind: Encrypted['kind'], plain: Buffer): boolean {
  const text = plain.toString('latin1');
  if (kind === 'web key') return PrivateJwk.safeParse(jsonOf(text)).success;
  if (kind === 'signing key of a target') return SIGNING_KEY.test(text);
  try {
    createPrivateKey(text);
    return true;
  } catch {
    return false;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
