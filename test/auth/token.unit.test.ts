import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { makePrivateKeys } from '../../shared/keys/signing-keys.ts';
import { sessionKeys } from '../../shared/sessions/keys.ts';
import { mintAccess, mintRefresh, readRefresh, verifyAccess } from '../../shared/sessions/token.ts';

const [mine, others] = [await makePrivateKeys(), await makePrivateKeys()];
const keys = sessionKeys(mine);
const config = { publicUrl: 'https://app.example.org', audience: 'api', accessSeconds: 900 };
const claims = {
  subject: 'b1f0a3a2-7d4c-4f0a-9d53-0a1b2c3d4e5f',
  tenantId: '0c6a9a4e-1111-4222-8333-944455556666',
  slug: 'acme',
  role: 'user',
  sessionId: '7d4cb1f0-a3a2-4f0a-9d53-0a1b2c3d4e5f',
  method: 'jwt' as const,
};
const NOW = 1_700_000_000;

/** Both keys in one set, the other first: as after a rotation. */
const keysOf = (set: string) => z.object({ keys: z.array(z.unknown()) }).parse(JSON.parse(set)).keys;
const rotated = sessionKeys(JSON.stringify({ keys: [...keysOf(others), ...keysOf(mine)] }));

describe('an access token', () => {
  it('is valid until its exp, then expired, and of the same session all the time', async () => {
    const token = await mintAccess(claims, keys, config, NOW);
    expect(await verifyAccess(token, keys, config, NOW * 1_000)).toEqual({
      state: 'valid',
      issuedAt: NOW * 1_000,
      claims,
    });
    expect(await verifyAccess(token, keys, config, (NOW + 900) * 1_000)).toMatchObject({
      state: 'expired',
      claims,
    });
  });

  it('outlives the rotation of keys, and not the removal of its own', async () => {
    const token = await mintAccess(claims, keys, config, NOW);
    expect(await verifyAccess(token, rotated, config, NOW * 1_000)).toMatchObject({ state: 'valid' });
    expect(await verifyAccess(token, sessionKeys(others), config, NOW * 1_000)).toMatchObject({
      state: 'invalid',
    });
  });

  it('of another issuer, audience, type or form is none', async () => {
    const signed = async (change: Partial<Record<'iss' | 'aud' | 'typ' | 'sub', string>>) =>
      new SignJWT({
        tenant: claims.tenantId,
        tenant_slug: 'acme',
        role: 'user',
        sid: claims.sessionId,
        auth_method: 'jwt',
      })
        .setProtectedHeader({ alg: 'ES256', kid: keys.kid, typ: change.typ ?? 'at+jwt' })
        .setIssuer(change.iss ?? config.publicUrl)
        .setAudience(change.aud ?? 'api')
        .setSubject(change.sub ?? claims.subject)
        .setIssuedAt(NOW)
        .setExpirationTime(NOW + 900)
        .sign(await keys.signingKey());
    const stateOf = async (token: string) => (await verifyAccess(token, keys, config, NOW * 1_000)).state;
    expect(await stateOf(await signed({}))).toBe('valid');
    for (const change of [
      { iss: 'https://other.example' },
      { aud: 'other' },
      { typ: 'JWT' },
      { sub: 'nobody' },
    ])
      expect(await stateOf(await signed(change)), JSON.stringify(change)).toBe('invalid');
    for (const token of ['', 'a.b.c', '..', 'x'.repeat(9_000)]) expect(await stateOf(token)).toBe('invalid');
  });
});

describe('a refresh token', () => {
  const name = { sessionId: claims.sessionId, generation: 4_000_000_000 };

  it('names its session and rotation, to whoever has the key', () => {
    const token = mintRefresh(name, keys);
    expect(readRefresh(token, keys)).toEqual(name);
    expect(readRefresh(token, rotated)).toEqual(name);
    expect(readRefresh(token, sessionKeys(others))).toBeUndefined();
  });

  it('with a bit changed anywhere is none', () => {
    const token = mintRefresh(name, keys);
    const bytes = Buffer.from(token.slice(4), 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      expect(readRefresh(`sr1.${changed.toString('base64url')}`, keys)).toBeUndefined();
    }
    for (const text of ['', 'sr1.', token.slice(4), token.slice(0, -2)])
      expect(readRefresh(text, keys)).toBeUndefined();
  });
});

describe('sealed text', () => {
  it('opens for its purpose alone, also after a rotation', async () => {
    const sealed = await keys.seal('a secret', 'state');
    expect(sealed).not.toContain('secret');
    expect(await keys.open(sealed, 'state')).toBe('a secret');
    expect(await rotated.open(sealed, 'state')).toBe('a secret');
    expect(await keys.open(sealed, 'successor')).toBeUndefined();
    expect(await sessionKeys(others).open(sealed, 'state')).toBeUndefined();
    expect(await keys.open(`${sealed}x`, 'state')).toBeUndefined();
  });
});
