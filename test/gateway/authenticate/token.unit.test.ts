import { createHmac, createPublicKey } from 'node:crypto';
import { base64url } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import { createGate, type Gate } from './gate.ts';

let gate: Gate;

beforeEach(async () => {
  gate = await createGate();
});

const encode = (value: unknown): string => base64url.encode(JSON.stringify(value));

describe('a signed token is accepted', () => {
  it.each(['RS256', 'PS384', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'])('with %s', async (alg) => {
    const other = await createGate({ alg });
    expect(await other.admit(await other.zitadel.sign())).toMatchObject({ subject: 'alice' });
  });

  it('as the principal of its issuer', async () => {
    const token = await gate.zitadel.sign({ 'urn:zitadel:iam:user:resourceowner:id': '77' });
    expect(await gate.admit(token)).toMatchObject({
      issuerName: 'zitadel',
      issuer: 'https://zitadel.test',
      subject: 'alice',
      user: 'user:alice',
      caller: 'zitadel|alice',
      organization: 'zitadel|org:77',
      issuedAt: gate.clock.now(),
      claims: {},
    });
  });

  it.each([undefined, 'JWT', 'jwt', 'application/jwt'])('with typ %s', async (typ) => {
    expect(await gate.admit(await gate.zitadel.sign({}, { header: { typ } }))).toBeDefined();
  });

  it('when one of several audiences is ours', async () => {
    expect(await gate.admit(await gate.zitadel.sign({ aud: ['other', 'web'] }))).toBeDefined();
  });

  it('without kid when the issuer has exactly one key for its algorithm', async () => {
    const token = await gate.zitadel.sign({}, { header: { kid: undefined } });
    expect(await gate.admit(token)).toBeDefined();
  });
});

describe('the key of a token', () => {
  it('may be any of several when the token names none', async () => {
    await gate.zitadel.addKey('key-2');
    for (const kid of ['key-1', 'key-2'])
      expect(
        await gate.admit(await gate.zitadel.sign({}, { kid, header: { kid: undefined } })),
      ).toBeDefined();
  });

  it('may be any of two under one kid', async () => {
    const first = await gate.zitadel.sign({ sub: 'first' });
    await gate.zitadel.addKey('key-1');
    const second = await gate.zitadel.sign({ sub: 'second' });
    expect(await gate.admit(second)).toMatchObject({ subject: 'second' });
    expect(await gate.admit(first)).toMatchObject({ subject: 'first' });
  });

  it('replaced under its kid is found by the first token that it signed', async () => {
    const old = await gate.zitadel.sign({ sub: 'old' });
    await gate.admit(old);
    gate.zitadel.removeKey('key-1');
    await gate.zitadel.addKey('key-1');
    expect(await gate.admit(await gate.zitadel.sign({ sub: 'new' }))).toMatchObject({ subject: 'new' });
    expect((await gate.refuse(old)).reason).toBe('signature does not fit');
  });

  it('that does not fit is 401 while the provider is away: the keys at hand have said no', async () => {
    const token = await gate.zitadel.sign();
    await gate.admit(token);
    gate.zitadel.faults.set('*', 'refused');
    expect((await gate.refuse(`${token.slice(0, -8)}AAAAAAAA`)).status).toBe(401);
    const unknown = await gate.zitadel.sign({}, { header: { kid: 'other' } });
    expect((await gate.refuse(unknown)).status).toBe(503);
  });

  it('that is refused is named with its reason', async () => {
    gate.zitadel.extraKeys.push({ kty: 'RSA', kid: 'weak', alg: 'RS256', n: 'q'.repeat(171), e: 'AQAB' });
    const token = await gate.zitadel.sign({}, { header: { kid: 'weak' } });
    expect((await gate.refuse(token)).reason).toContain('at least 2048');
  });
});

describe('a signed token is refused as invalid_token', () => {
  it.each<[string, Record<string, unknown>]>([
    ['for another audience', { aud: 'other' }],
    ['without audience', { aud: undefined }],
    ['from an issuer nobody trusts', { iss: 'https://evil.test' }],
    ['from an issuer that differs by a slash', { iss: 'https://zitadel.test/' }],
    ["in another trusted issuer's name", { iss: 'https://kanidm.test/oauth2/openid/app' }],
    ['without issuer', { iss: undefined }],
    ['without subject', { sub: undefined }],
    ['without expiry', { exp: undefined }],
    ['with an expiry that is no number', { exp: '2099' }],
  ])('%s', async (_, claims) => {
    const refused = await gate.refuse(await gate.zitadel.sign(claims));
    expect(refused).toMatchObject({ code: 'invalid_token', detail: 'The token is not accepted' });
  });

  it.each<[string, Record<string, unknown>]>([
    ['of a kind that is no access token', { typ: 'logout+jwt' }],
    ['whose typ is no text', { typ: 7 }],
    ['with a critical header nobody here understands', { crit: ['x-test'], 'x-test': 1 }],
    ['whose kid is unknown', { kid: 'nobody' }],
  ])('%s', async (_, header) => {
    expect((await gate.refuse(await gate.zitadel.sign({}, { header }))).code).toBe('invalid_token');
  });

  it('over 8 KiB, before it is parsed', async () => {
    const token = await gate.zitadel.sign({ bulk: 'x'.repeat(8192) });
    const refusal = await gate.refuse(token);
    expect(refusal.code).toBe('invalid_token');
    expect(refusal.detail).toBe(`The token has ${token.length} bytes; at most 8192 are taken.`);
    expect(gate.guarded).toEqual([]);
  });

  it('when a part of it was changed', async () => {
    const [header, , signature] = (await gate.zitadel.sign()).split('.');
    const payload = encode({ iss: gate.zitadel.url, aud: 'api', sub: 'root', exp: 9_999_999_999 });
    expect((await gate.refuse(`${header}.${payload}.${signature}`)).code).toBe('invalid_token');
  });

  it('without any readable claims', async () => {
    const [header, , signature] = (await gate.zitadel.sign()).split('.');
    expect((await gate.refuse(`${header}.bm90IGpzb24.${signature}`)).code).toBe('invalid_token');
  });
});

describe('time is judged with a tolerance of 5 s', () => {
  it('accepts a token that expired 4 s ago, and says "expired" 6 s after', async () => {
    const token = await gate.zitadel.sign({});
    gate.clock.advance(304);
    expect(await gate.admit(token)).toBeDefined();
    gate.clock.advance(2);
    const refused = await gate.refuse(token);
    expect(refused.detail).toBe('The token has expired');
    expect(refused.headers['WWW-Authenticate']).toBe(
      'Bearer realm="sallyport", error="invalid_token", error_description="The token has expired"',
    );
  });

  it('refuses a token valid from 6 s ahead, accepts one from 4 s ahead', async () => {
    const now = gate.clock.now() / 1000;
    expect((await gate.refuse(await gate.zitadel.sign({ nbf: now + 6 }))).reason).toContain('nbf');
    expect(await gate.admit(await gate.zitadel.sign({ nbf: now + 4 }))).toBeDefined();
  });
});

describe("the algorithm is the key's, never the token's choice", () => {
  it('refuses HS256 made with the RSA public key as secret', async () => {
    const rsa = await createGate({ alg: 'RS256' });
    const [jwk] = rsa.zitadel.jwks().keys;
    const pem = createPublicKey({ key: jwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    const claims = { iss: rsa.zitadel.url, aud: 'api', sub: 'root', exp: 9_999_999_999 };
    for (const secret of [pem, JSON.stringify(jwk), String(jwk?.n)]) {
      const signed = `${encode({ alg: 'HS256', kid: 'key-1' })}.${encode(claims)}`;
      const mac = createHmac('sha256', secret).update(signed).digest('base64url');
      expect((await rsa.refuse(`${signed}.${mac}`)).reason).toBe('algorithm not allowed');
    }
  });

  it.each(['none', 'None', 'HS512', 'ES256K', 'toString', ''])('refuses alg %j', async (alg) => {
    const claims = { iss: gate.zitadel.url, aud: 'api', sub: 'root', exp: 9_999_999_999 };
    const token = `${encode({ alg, kid: 'key-1' })}.${encode(claims)}.`;
    expect((await gate.refuse(token)).code).toBe('invalid_token');
  });

  it('refuses another algorithm than the one a key lacking alg stands for', async () => {
    const rsa = await createGate({ alg: 'PS256' });
    const unlabelled = { ...rsa.zitadel.jwks().keys[0]!, alg: undefined };
    rsa.zitadel.removeKey('key-1');
    rsa.zitadel.extraKeys.push(unlabelled);
    expect((await rsa.refuse(await rsa.zitadel.sign())).reason).toBe('no such key at the issuer');
  });

  it('accepts RS256 with a key lacking alg', async () => {
    const rsa = await createGate({ alg: 'RS256' });
    const unlabelled = { ...rsa.zitadel.jwks().keys[0]!, alg: undefined };
    rsa.zitadel.removeKey('key-1');
    rsa.zitadel.extraKeys.push(unlabelled);
    expect(await rsa.admit(await rsa.zitadel.sign())).toBeDefined();
  });
});

describe('RFC 9068 §4: an at+jwt token is held to what a resource server has to check', () => {
  it.each(['at+jwt', 'application/at+jwt', 'AT+JWT'])('accepts %s without client_id and jti', async (typ) => {
    expect(await gate.admit(await gate.zitadel.sign({}, { header: { typ } }))).toBeDefined();
  });

  it.each([{ aud: 'other' }, { iss: 'https://other.test' }, { exp: undefined }, { sub: undefined }])(
    'refuses %j',
    async (claims) => {
      const token = await gate.zitadel.sign(claims, { header: { typ: 'at+jwt' } });
      expect((await gate.refuse(token)).code).toBe('invalid_token');
    },
  );
});

describe('a refusal keeps the secret', () => {
  it('never quotes the token in reason, detail, headers or log', async () => {
    const token = await gate.zitadel.sign({ aud: 'other', email: 'alice@example.org' });
    const refused = await gate.refuse(token);
    const said = JSON.stringify([
      refused.message,
      refused.reason,
      refused.detail,
      refused.headers,
      gate.logged,
    ]);
    expect(said).not.toContain(token.slice(-20));
    expect(said).not.toContain('alice');
    expect(refused.cause).toBeUndefined();
  });
});
