import { beforeEach, describe, expect, it } from 'vitest';
import { createGate, type Gate } from './gate.ts';

const AT = { header: { typ: 'at+jwt' } };
let gate: Gate;

beforeEach(async () => {
  gate = await createGate();
});

describe('a subject can pass for nobody else', () => {
  it.each([
    ['CR LF', 'alice\r\nX-User-ID: admin'],
    ['a NUL', 'alice\0'],
    ['a space', 'alice smith'],
    ['letters beyond ASCII', 'älice'],
    ['a userset mark', 'group:staff#member'],
    ['a type mark', 'user:alice'],
    ['the wildcard', '*'],
    ['nothing', ''],
    ['256 characters', 'a'.repeat(256)],
    ['a number', 7],
  ])('refuses %s', async (_, sub) => {
    expect(await gate.refuse(await gate.zitadel.sign({ sub }))).toMatchObject({
      status: 401,
      code: 'invalid_token',
    });
  });

  it.each(['alice', '269083271862583298', 'a@b.c', 'auth0|123', 'a*', 'a'.repeat(255)])(
    'accepts %s',
    async (sub) => {
      expect(await gate.admit(await gate.zitadel.sign({ sub }))).toMatchObject({
        user: `user:${sub}`,
        subject: sub,
      });
    },
  );

  it('keeps equal subjects of two issuers apart', async () => {
    const one = await gate.admit(await gate.zitadel.sign());
    const two = await gate.admit(await gate.kanidm.sign({}, AT));
    expect([one?.user, two?.user]).toEqual(['user:alice', 'user:kanidm|alice']);
    expect([one?.caller, two?.caller]).toEqual(['zitadel|alice', 'kanidm|alice']);
  });

  it.each(['kanidm|alice', 'session|alice', 'corp|alice'])(
    "refuses shared subject %s, another issuer's user",
    async (sub) => {
      expect((await gate.refuse(await gate.zitadel.sign({ sub }))).reason).toContain('imitates');
    },
  );

  it('keeps an issuer without shared subjects inside its own name', async () => {
    const principal = await gate.admit(await gate.kanidm.sign({ sub: 'zitadel|alice' }, AT));
    expect(principal?.user).toBe('user:kanidm|zitadel|alice');
  });

  it('ignores an organisation that is no identifier', async () => {
    const token = await gate.zitadel.sign({ 'urn:zitadel:iam:user:resourceowner:id': 'a:b#c' });
    expect(await gate.admit(token)).not.toHaveProperty('organization');
  });
});
