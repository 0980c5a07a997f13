import { beforeEach, describe, expect, it } from 'vitest';
import { createAuthenticator } from '../../../functions/gateway/authenticate/authenticate.ts';
import { manualClock } from '../../support/clock.ts';
import { createGate, refusal, requestWith, type Gate } from './gate.ts';

let gate: Gate;

beforeEach(async () => {
  gate = await createGate();
});

describe('the Authorization header', () => {
  it('is asked for, with a challenge that names no error', async () => {
    const refused = await refusal(() => gate.present(undefined));
    expect(refused).toMatchObject({ status: 401, code: 'missing_token' });
    expect(refused.headers['WWW-Authenticate']).toBe('Bearer realm="sallyport"');
  });

  it.each(['Basic YTpi', 'Bearer', 'Bearer ', 'Bearer a b', 'Bearer "a"', 'Bearer a=b', 'Token abc', ''])(
    'is invalid_token as %j',
    async (header) => {
      const refused = await refusal(() => gate.present(header));
      expect(refused.code).toBe('invalid_token');
      expect(refused.headers['WWW-Authenticate']).toContain('error="invalid_token"');
    },
  );

  it.each([
    'Bearer a, Bearer b',
    'Bearer a,b',
    'Bearer a\tb',
    'Bearer a\u0000',
    'Bearer a\r\nX: y',
    'Basic a, Bearer b',
  ])('is invalid_request as %j', async (header) => {
    expect(await refusal(() => gate.present(header))).toMatchObject({ status: 400, code: 'invalid_request' });
  });

  it.each(['bearer', 'BEARER', 'Bearer  '])('is read with scheme %j (RFC 9110 §11.1)', async (scheme) => {
    expect(await gate.present(`${scheme} ${await gate.zitadel.sign()}`)).toMatchObject({ subject: 'alice' });
  });
});

describe('on a public rule', () => {
  it('no token is looked at: neither a fault nor an identity', async () => {
    const never = () => Promise.reject(new Error('verified'));
    const { authenticate } = createAuthenticator({
      clock: manualClock(),
      verifySigned: never,
      verifyOpaque: never,
    });
    for (const authorization of ['Bearer x', 'nonsense, twice', await gate.zitadel.sign()])
      expect(
        authenticate(
          { access: { kind: 'public' }, token: undefined },
          requestWith({ authorization }),
          new Set(),
        ),
      ).toBeUndefined();
  });
});

describe('the guard of addresses', () => {
  it('hears of every token to be verified, and of no remembered one', async () => {
    const token = await gate.zitadel.sign();
    await gate.admit(token);
    await gate.admit(token);
    expect(gate.guarded).toEqual(['192.0.2.1']);
    await gate.refuse(`${token.slice(0, -4)}AAAA`);
    expect(gate.guarded).toHaveLength(2);
  });
});
