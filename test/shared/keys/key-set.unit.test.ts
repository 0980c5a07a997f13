import { checkPrimeSync, generateKeyPairSync, randomBytes } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { ProviderUnavailable } from '../../../shared/errors.ts';
import { KeySet, MAX_CANDIDATES } from '../../../shared/keys/key-set.ts';
import { weaknessOf } from '../../../shared/keys/weak-rsa.ts';

let publicJwk: JWK;
let privateJwk: JWK;

beforeAll(async () => {
  const pair = await generateKeyPair('ES256', { extractable: true });
  publicJwk = { ...(await exportJWK(pair.publicKey)), kid: 'good', alg: 'ES256', use: 'sig' };
  privateJwk = { ...(await exportJWK(pair.privateKey)), kid: 'odd', alg: 'ES256' };
});

const base64url = (value: bigint): string => {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url');
};
const rsa = (n: bigint, e = 65_537n): object => ({
  kty: 'RSA',
  kid: 'odd',
  alg: 'RS256',
  n: base64url(n),
  e: base64url(e),
});
const rsaModulus = (): bigint => {
  const { n = '' } = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' });
  return BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`);
};

/** A modulus as the library of CVE-2017-15361 made them for 2048 bits. */
function rocaModulus(): bigint {
  const primes: bigint[] = [];
  for (let p = 2n; primes.length < 126; p++) if (primes.every((q) => p % q !== 0n)) primes.push(p);
  const product = primes.reduce((a, b) => a * b, 1n);
  const power = (exponent: bigint): bigint => {
    let result = 1n;
    for (let i = 0n; i < exponent; i++) result = (result * 65_537n) % product;
    return result;
  };
  const prime = (seed: bigint): bigint => {
    const rest = power(seed);
    const room = (1n << 1024n) / product;
    for (let k = room - BigInt(`0x${randomBytes(4).toString('hex')}`); ; k--) {
      const candidate = k * product + rest;
      if (checkPrimeSync(candidate)) return candidate;
    }
  };
  return prime(1234n) * prime(4321n);
}

describe('a key set', () => {
  it.each<[string, () => unknown]>([
    ['for encryption', () => ({ ...publicJwk, kid: 'odd', use: 'enc' })],
    ['not for verifying', () => ({ ...publicJwk, kid: 'odd', key_ops: ['sign'] })],
    ['of a foreign algorithm', () => ({ ...publicJwk, kid: 'odd', alg: 'RS256' })],
    ['of another curve than its algorithm', () => ({ ...publicJwk, kid: 'odd', alg: 'ES384' })],
    ['that is a shared secret', () => ({ kty: 'oct', kid: 'odd', alg: 'HS256', k: 'c2VjcmV0' })],
    ['that is private', () => privateJwk],
    [
      'of RSA with 1024 bits',
      () => ({ kty: 'RSA', kid: 'odd', alg: 'RS256', e: 'AQAB', n: 'q'.repeat(171) }),
    ],
    ['off its curve', () => ({ ...publicJwk, kid: 'odd', y: publicJwk.x })],
    ['that is no object', () => 7],
  ])('leaves out a key %s and keeps the rest', async (_, odd) => {
    const keys = await KeySet.parse({ keys: [odd(), publicJwk] }, undefined);
    for (const alg of ['ES256', 'ES384', 'RS256', 'HS256']) expect(keys.candidates('odd', alg)).toEqual([]);
    expect(keys.candidates('good', 'ES256').map(({ key }) => key.type)).toEqual(['public']);
  });

  it.each([null, [], {}, { keys: {} }, 'keys'])('is not %j', async (json) => {
    await expect(KeySet.parse(json, undefined)).rejects.toBeInstanceOf(ProviderUnavailable);
  });

  it('may be empty: the issuer has withdrawn all its keys', async () => {
    expect((await KeySet.parse({ keys: [] }, undefined)).candidates(undefined, 'ES256')).toEqual([]);
  });
});

describe('null is what is left out', () => {
  it.each(['alg', 'use', 'key_ops', 'kid', 'd', 'x5c'])('"%s": null of a key', async (member) => {
    const keys = await KeySet.parse({ keys: [{ ...publicJwk, [member]: null }], next: null }, undefined);
    expect(keys.candidates(undefined, 'ES256')).toHaveLength(1);
    expect(keys.refused).toEqual([]);
  });

  it('of a whole key spoils no other', async () => {
    const keys = await KeySet.parse({ keys: [null, publicJwk] }, undefined);
    expect(keys.candidates('good', 'ES256')).toHaveLength(1);
  });
});

describe('a key that must not verify anything is refused with its reason', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['RSA of 1024 bits', () => rsa(1n << 1023n), /1024 bits; at least 2048/],
    [
      'RSA of few bits behind zeros',
      () => ({ ...rsa(1n), n: `${'A'.repeat(300)}${'q'.repeat(80)}` }),
      /bits; at least/,
    ],
    ['RSA of 20,000 bits', () => rsa(1n << 20_000n), /at most 16384/],
    ['RSA with the exponent 1', () => rsa(rsaModulus(), 1n), /exponent/],
    ['RSA with an even exponent', () => rsa(rsaModulus(), 65_536n), /exponent/],
    ['RSA with a small factor', () => rsa((1n << 2047n) + (3n - ((1n << 2047n) % 3n))), /small factor/],
    ['RSA of CVE-2017-15361', () => rsa(rocaModulus()), /ROCA/],
    ['off its curve', () => ({ ...publicJwk, kid: 'odd', y: publicJwk.x }), /no point of its curve/],
    ['on an unknown curve', () => ({ ...publicJwk, kid: 'odd', alg: null, crv: 'secp256k1' }), /curve/],
    [
      'of another curve than its alg',
      () => ({ ...publicJwk, kid: 'odd', alg: 'ES384' }),
      /does not go with its alg/,
    ],
    ['that is private', () => privateJwk, /private/],
    ['without coordinates', () => ({ ...publicJwk, kid: 'odd', x: null }), /not well-formed/],
  ])('%s', async (_what, odd, reason) => {
    const keys = await KeySet.parse({ keys: [odd(), publicJwk] }, undefined);
    expect(keys.refused).toEqual([{ kid: 'odd', reason: expect.stringMatching(reason) as string }]);
    expect(keys.candidates('odd', 'ES256')).toEqual([]);
    expect(keys.candidates('good', 'ES256')).toHaveLength(1);
  });

  it('but not one for something else: those are published rightly', async () => {
    const others = [
      { kty: 'oct', kid: 'a', k: 'c2VjcmV0' },
      { kty: 'RSA', kid: 'b', use: 'enc', alg: 'RSA-OAEP', n: 'AQAB', e: 'AQAB' },
      { kty: 'EC', kid: 'c', alg: 'ECDH-ES', crv: 'P-256', x: 'a', y: 'b' },
      { ...publicJwk, kid: 'd', key_ops: ['encrypt'] },
    ];
    const keys = await KeySet.parse({ keys: [...others, publicJwk] }, undefined);
    expect(keys.refused).toEqual([]);
  });

  it('and no sound RSA key is', () => {
    const found = Array.from({ length: 5 }, () => weaknessOf(base64url(rsaModulus()), 'AQAB'));
    expect(new Set(found)).toEqual(new Set([undefined]));
  });
});

describe('several keys under one kid', () => {
  it('are all candidates, up to a bound', async () => {
    const keys = await Promise.all(
      Array.from({ length: MAX_CANDIDATES + 1 }, async () => {
        const { publicKey } = await generateKeyPair('ES256');
        return { ...(await exportJWK(publicKey)), kid: 'same' };
      }),
    );
    expect(
      (await KeySet.parse({ keys: keys.slice(0, 2) }, undefined)).candidates('same', 'ES256'),
    ).toHaveLength(2);
    expect((await KeySet.parse({ keys }, undefined)).candidates('same', 'ES256')).toHaveLength(
      MAX_CANDIDATES,
    );
  });
});
