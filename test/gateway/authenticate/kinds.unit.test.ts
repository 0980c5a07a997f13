import { beforeEach, describe, expect, it } from 'vitest';
import { createGate, type Gate } from './gate.ts';

let gate: Gate;

beforeEach(async () => {
  gate = await createGate();
});

describe('an ID token is no access token', () => {
  it.each<[string, string | undefined]>([
    ['as Kanidm makes it, without typ', undefined],
    ['of typ JWT', 'JWT'],
  ])('at Kanidm, %s', async (_how, typ) => {
    expect((await gate.refuse(await gate.kanidm.sign({}, { header: { typ } }))).reason).toBe(
      'typ not allowed',
    );
  });

  it.each(['at+jwt', 'application/at+jwt', 'AT+JWT'])(
    'and Kanidm says of an access token %s',
    async (typ) => {
      expect(await gate.admit(await gate.kanidm.sign({ nonce: 'n1' }, { header: { typ } }))).toBeDefined();
    },
  );

  it.each<Record<string, unknown>>([
    { at_hash: 'x' },
    { c_hash: 'x' },
    { s_hash: 'x' },
    { typ: 'ID' },
    { typ: 'Refresh' },
    { typ: 'Offline' },
    { typ: 'Logout' },
    { token_use: 'id' },
    { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
  ])('elsewhere with %j', async (claims) => {
    expect((await gate.refuse(await gate.zitadel.sign(claims))).reason).toContain('no access token');
  });

  it.each<Record<string, unknown>>([
    { nonce: 'n1' },
    { typ: 'Bearer' },
    { token_use: 'access' },
    { at_hash: null },
  ])('but %j is no sign of one', async (claims) => {
    expect(await gate.admit(await gate.zitadel.sign(claims))).toBeDefined();
  });
});

describe('for whom a token was made', () => {
  it('is said by client_id where Cognito leaves out aud and calls it an access token', async () => {
    const claims = { aud: undefined, token_use: 'access', client_id: 'web' };
    expect(await gate.admit(await gate.zitadel.sign(claims))).toBeDefined();
  });

  it.each<Record<string, unknown>>([
    { aud: undefined, client_id: 'web' },
    { aud: undefined, token_use: 'access', client_id: 'other' },
    { aud: undefined, token_use: 'access' },
    { aud: 'other', token_use: 'access', client_id: 'web' },
    { aud: [], token_use: 'access', client_id: 'web' },
    { aud: null },
    { aud: { api: true } },
    { aud: ['API'] },
  ])('is not said by %j', async (claims) => {
    expect((await gate.refuse(await gate.zitadel.sign(claims))).reason).toMatch(/^claim aud/);
  });
});
