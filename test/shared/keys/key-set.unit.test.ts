import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { ProviderUnavailable } from '../../../shared/errors.ts';
import { KeySet } from '../../../shared/keys/key-set.ts';

let publicJwk: JWK;
let privateJwk: JWK;

beforeAll(async () => {
  const pair = await generateKeyPair('ES256', { extractable: true });
  publicJwk = { ...(await exportJWK(pair.publicKey)), kid: 'good', alg: 'ES256', use: 'sig' };
  privateJwk = { ...(await exportJWK(pair.privateKey)), kid: 'odd', alg: 'ES256' };
});

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
    for (const alg of ['ES256', 'ES384', 'RS256', 'HS256']) expect(keys.find('odd', alg)).toBeUndefined();
    expect(keys.find('good', 'ES256')?.key.type).toBe('public');
  });

  it.each([null, [], {}, { keys: {} }, 'keys'])('is not %j', async (json) => {
    await expect(KeySet.parse(json, undefined)).rejects.toBeInstanceOf(ProviderUnavailable);
  });

  it('may be empty: the issuer has withdrawn all its keys', async () => {
    expect((await KeySet.parse({ keys: [] }, undefined)).find(undefined, 'ES256')).toBeUndefined();
  });
});
