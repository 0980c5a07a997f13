import { hkdfSync } from 'node:crypto';
import { CompactEncrypt, compactDecrypt, importJWK, type CryptoKey } from 'jose';
import type { SessionsConfig } from '../configuration/sessions.ts';
import {
  makePrivateKeys,
  parseSigningKeys,
  type PublicKeySet,
  type SigningKeys,
} from '../keys/signing-keys.ts';

/** What SESSION_KEYS does: it signs and verifies tokens, encrypts what browsers and tables keep, and authenticates refresh tokens. */
export interface SessionKeys {
  readonly kid: string;
  readonly published: PublicKeySet;
  signingKey(): Promise<CryptoKey>;
  /** Undefined for a key that is not among them. */
  verificationKey(kid: string | undefined): Promise<CryptoKey | undefined>;
  /** A compact JWE (RFC 7516) by the first key; `use` keeps texts of one purpose from passing for those of another. */
  seal(text: string, use: string): Promise<string>;
  /** Undefined for what none of the keys sealed for this purpose. */
  open(sealed: string, use: string): Promise<string | undefined>;
  /** Secrets of 32 bytes for one purpose: that of the first key makes, all of them are accepted. */
  secrets(use: string): readonly Uint8Array[];
}

/** Known at once, or made when first needed: on Workers no randomness is allowed at start. */
export interface KeyRing {
  current(): Promise<SessionKeys>;
}

/** Throws when the configured keys are not usable, without quoting them. */
export function openKeyRing({ keys }: Pick<SessionsConfig, 'keys'>): KeyRing {
  let known = keys === null ? undefined : sessionKeys(keys);
  return {
    async current() {
      if (known !== undefined) return known;
      const made = sessionKeys(await makePrivateKeys());
      // Two requests may have come at the same time: the first key made is the one that counts.
      known ??= made;
      return known;
    },
  };
}

export function sessionKeys(jwks: string): SessionKeys {
  const signing: SigningKeys = parseSigningKeys(jwks);
  const derived = new Map<string, readonly Uint8Array[]>();
  const imported = new Map<string, CryptoKey>();
  const secrets = (use: string): readonly Uint8Array[] => {
    const made = derived.get(use) ?? signing.scalars.map((scalar) => derive(scalar, use));
    derived.set(use, made);
    return made;
  };
  const sealKeys = new Map<string, readonly CryptoKey[]>();
  /** Imported once: for a text of some hundred bytes that costs as much as the cipher itself. */
  const sealing = async (use: string): Promise<readonly CryptoKey[]> => {
    const keys = sealKeys.get(use) ?? (await Promise.all(secrets(`seal ${use}`).map(importSecret)));
    sealKeys.set(use, keys);
    return keys;
  };
  return {
    kid: signing.kid,
    published: signing.published,
    signingKey: () => signing.signingKey(),
    async verificationKey(kid) {
      const jwk = signing.published.keys.find((each) => each.kid === kid);
      if (jwk === undefined) return undefined;
      const key = imported.get(jwk.kid) ?? (await importPublic(jwk));
      imported.set(jwk.kid, key);
      return key;
    },
    secrets,
    async seal(text, use) {
      const [key] = await sealing(use);
      if (key === undefined) throw new Error('a key set has a key');
      return new CompactEncrypt(new TextEncoder().encode(text))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .encrypt(key);
    },
    async open(sealed, use) {
      for (const key of await sealing(use)) {
        const text = await opened(sealed, key);
        if (text !== undefined) return text;
      }
      return undefined;
    },
  };
}

async function importPublic(jwk: PublicKeySet['keys'][number]): Promise<CryptoKey> {
  const key = await importJWK({ ...jwk }, 'ES256');
  if (key instanceof Uint8Array) throw new TypeError('an EC key has no bytes');
  return key;
}

function importSecret(secret: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', Uint8Array.from(secret), 'AES-GCM', false, ['encrypt', 'decrypt']);
}

async function opened(sealed: string, key: CryptoKey): Promise<string | undefined> {
  try {
    const options = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] };
    const { plaintext } = await compactDecrypt(sealed, key, options);
    return new TextDecoder().decode(plaintext);
  } catch {
    return undefined;
  }
}

/** RFC 5869. The private scalar is uniform, so no salt is needed. */
function derive(scalar: Uint8Array, use: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', scalar, '', `sallyport ${use}`, 32));
}
