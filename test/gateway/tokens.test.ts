import { createHmac, randomBytes } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair, importJWK, SignJWT, type CryptoKey } from 'jose';
import { expect, it } from 'vitest';
import { expectRefusal, expectStopped } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';
import { METRICS_TOKEN } from '../support/world.ts';

const KEYS = '/oauth/v2/keys';

const now = (): number => Math.floor(Date.now() / 1000);
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const keyFetches = (stage: Pick<Stage, 'issuer'>): number =>
  stage.issuer.requests.filter((path) => path === KEYS).length;

const ask = (stage: Stage, authorization?: string | string[]) =>
  stage.gateway.fetch('/me', { headers: authorization === undefined ? {} : { authorization } });

gatewaySuite('only a good token opens a protected path', { alg: 'RS256' }, (stage) => {
  it('a good token is an identity for the upstream', async () => {
    const answer = await ask(stage, await stage.bearer());
    expect(answer.status).toBe(200);
    expect(stage.upstream.requests[0]?.values('x-user-id')).toEqual(['alice']);
    expect(stage.upstream.requests[0]?.values('x-user-issuer')).toEqual([stage.issuer.url]);
  });

  it('no token: 401 with a challenge that names no error', async () => {
    const answer = await ask(stage);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="sallyport"');
    await expectRefusal(answer, 'missing_token');
    expect(stage.upstream.requests).toEqual([]);
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>?]>([
    ['expired', { exp: now() - 60 }],
    ['without exp', { exp: undefined }],
    ['not valid yet', { nbf: now() + 600 }],
    ['of another issuer', { iss: 'https://evil.test' }],
    ['without issuer', { iss: undefined }],
    ['for another audience', { aud: 'other' }],
    ['without audience', { aud: undefined }],
    ['without subject', { sub: undefined }],
    ['whose sub holds CR LF', { sub: 'alice\r\nX-User-ID: admin' }],
    ['whose sub is everybody', { sub: '*' }],
    ['with an unknown kid', {}, { kid: 'unknown' }],
    ['of another type', {}, { typ: 'logout+jwt' }],
    ['with a critical extension', {}, { crit: ['x-test'], 'x-test': 1 }],
  ])('a token %s is refused', async (_name, claims, header = {}) => {
    const sent = ask(stage, await stage.bearer(claims, { header }));
    expect((await sent).headers.get('www-authenticate')).toContain('error="invalid_token"');
    await expectStopped(sent, 'invalid_token', stage.upstream);
  });

  it('a token whose signature was changed is refused', async () => {
    const token = await stage.bearer();
    const changed = token.slice(0, -8) + (token.endsWith('AAAAAAAA') ? 'BBBBBBBB' : 'AAAAAAAA');
    await expectStopped(ask(stage, changed), 'invalid_token', stage.upstream);
  });

  it('a token signed with nothing is refused', async () => {
    const claims = { iss: stage.issuer.url, aud: 'api', sub: 'admin', exp: now() + 60 };
    const token = `${part({ alg: 'none' })}.${part(claims)}.`;
    await expectStopped(ask(stage, `Bearer ${token}`), 'invalid_token', stage.upstream);
  });

  it('a token signed with the public key as HMAC secret is refused', async () => {
    const [jwk] = stage.issuer.jwks().keys;
    const pem = await exportSPKI((await importJWK(jwk!, 'RS256', { extractable: true })) as CryptoKey);
    const claims = { iss: stage.issuer.url, aud: 'api', sub: 'admin', exp: now() + 60 };
    const signed = `${part({ alg: 'HS256', kid: jwk!.kid })}.${part(claims)}`;
    const token = `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`;
    await expectStopped(ask(stage, `Bearer ${token}`), 'invalid_token', stage.upstream);
  });

  it('a token that brings its own key is refused', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const token = await new SignJWT({ iss: stage.issuer.url, aud: 'api', sub: 'admin', exp: now() + 60 })
      .setProtectedHeader({ alg: 'ES256', kid: 'key-1', jwk: await exportJWK(publicKey) })
      .sign(privateKey);
    await expectStopped(ask(stage, `Bearer ${token}`), 'invalid_token', stage.upstream);
  });

  it.each([
    ['two tokens in one field', 'Bearer a.b.c, Bearer d.e.f'],
    ['two Authorization headers', ['Bearer a.b.c', 'Bearer d.e.f']],
  ])('%s are refused as malformed', async (_name, authorization) => {
    await expectStopped(ask(stage, authorization), 'invalid_request', stage.upstream);
  });

  it.each([
    ['Basic credentials', 'Basic YTpi'],
    ['an opaque token where no introspection is configured', 'Bearer opaque'],
    ['an empty token', 'Bearer '],
    ['a token of 9,000 characters', `Bearer ${'a'.repeat(9_000)}`],
  ])('%s: 401', async (_name, authorization) => {
    await expectStopped(ask(stage, authorization), 'invalid_token', stage.upstream);
  });

  it('a bad token on a public path is neither a fault nor an identity', async () => {
    const authorization = await stage.bearer({ iss: 'https://evil.test', sub: 'admin' });
    const answer = await stage.gateway.fetch('/public/x', { headers: { authorization } });
    expect(answer.status).toBe(200);
    expect(stage.upstream.requests[0]?.values('x-user-id')).toEqual([]);
    expect(stage.upstream.requests[0]?.values('x-gateway-assertion')).toEqual([]);
  });

  it('1,000 unknown kids cause ten key fetches and one a second at most, and good keys go on working', async () => {
    const before = keyFetches(stage);
    const began = Date.now();
    const claims = part({ iss: stage.issuer.url, aud: 'api', sub: 'x', exp: now() + 60 });
    for (let batch = 0; batch < 20; batch++) {
      const storm = Array.from({ length: 50 }, () => {
        const kid = randomBytes(8).toString('hex');
        return ask(stage, `Bearer ${part({ alg: 'RS256', kid })}.${claims}.AAAA`);
      });
      const statuses = (await Promise.all(storm)).map((answer) => answer.status);
      // 503 where the provider was not asked: 401 says that there is no such key.
      expect(statuses.filter((status) => status !== 401 && status !== 503)).toEqual([]);
    }
    expect(keyFetches(stage) - before).toBeLessThanOrEqual(10 + (Date.now() - began) / 1_000);
    expect((await ask(stage, await stage.bearer())).status).toBe(200);
  });

  it('known keys go on working while the identity provider is away', async () => {
    stage.issuer.faults.set('*', 'refused');
    expect((await ask(stage, await stage.bearer({ sub: 'bob' }))).status).toBe(200);
    stage.issuer.faults.clear();
  });
});

const foreign = await generateKeyPair('PS256', { extractable: true });

gatewaySuite(
  'a published key serves one algorithm only',
  {
    before: async ({ issuer }) => {
      const jwk = await exportJWK(foreign.publicKey);
      issuer.extraKeys.push({ ...jwk, kid: 'no-alg' });
    },
  },
  (stage) => {
    it('a key without alg does not take the algorithm from the token', async () => {
      const token = await new SignJWT({ iss: stage.issuer.url, aud: 'api', sub: 'admin', exp: now() + 60 })
        .setProtectedHeader({ alg: 'PS256', kid: 'no-alg' })
        .sign(foreign.privateKey);
      await expectStopped(ask(stage, `Bearer ${token}`), 'invalid_token', stage.upstream);
    });
  },
);

gatewaySuite(
  'without any key nobody can tell a good token from a bad one',
  { before: ({ issuer }) => void issuer.faults.set('*', 'refused') },
  (stage) => {
    it('a token meets 503, not 401', async () => {
      const sent = ask(stage, await stage.bearer());
      await expectStopped(sent, 'identity_provider_unavailable', stage.upstream);
    });

    it('a public path stays open', async () => {
      expect((await stage.gateway.fetch('/public/x')).status).toBe(200);
    });
  },
);

gatewaySuite('a key that the provider has just begun to sign with', { alg: 'ES256' }, (stage) => {
  it('counts at once, although somebody names keys that do not exist', async () => {
    const claims = part({ iss: stage.issuer.url, aud: 'api', sub: 'x', exp: now() + 60 });
    const bogus = () =>
      ask(stage, `Bearer ${part({ alg: 'ES256', kid: randomBytes(8).toString('hex') })}.${claims}.AAAA`);
    expect((await bogus()).status).toBe(401);
    await stage.issuer.addKey('rotated');
    const [genuine, ...others] = await Promise.all([
      ask(stage, await stage.bearer({ sub: 'bob' })),
      ...Array.from({ length: 20 }, bogus),
    ]);
    expect(genuine.status).toBe(200);
    expect(new Set(others.map(({ status }) => status))).toEqual(new Set([401]));
  });

  it('counts under the kid of the one before', async () => {
    stage.issuer.removeKey('rotated');
    await stage.issuer.addKey('rotated');
    expect((await ask(stage, await stage.bearer({ sub: 'carol' }))).status).toBe(200);
  });

  it('is asked for by many together once', async () => {
    await stage.issuer.addKey('rotated-again');
    const before = keyFetches(stage);
    const together = Array.from({ length: 20 }, async (_, n) =>
      ask(stage, await stage.bearer({ sub: `user-${n}` })),
    );
    const statuses = (await Promise.all(together)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(keyFetches(stage) - before).toBeLessThanOrEqual(2);
  });

  it('leaves a token 503 and not 401 while it cannot be asked for', async () => {
    await stage.issuer.addKey('unseen');
    stage.issuer.faults.set('*', 'refused');
    await expectStopped(ask(stage, await stage.bearer()), 'identity_provider_unavailable', stage.upstream);
    stage.issuer.faults.clear();
  });
});

gatewaySuite(
  'a key that must not verify anything',
  {
    alg: 'ES256',
    before: ({ issuer }) => {
      const [sound] = issuer.jwks().keys;
      issuer.extraKeys.push(
        { ...sound, kid: 'off-curve', y: sound?.x },
        { kty: 'RSA', kid: 'short', alg: 'RS256', n: 'q'.repeat(171), e: 'AQAB' },
      );
    },
  },
  (stage) => {
    it('is named with its reason in the log and in /ready, and spoils no other', async () => {
      expect((await ask(stage, await stage.bearer())).status).toBe(200);
      const headers = { authorization: `Bearer ${METRICS_TOKEN}` };
      const report = await (await stage.gateway.fetch('/ready', { headers })).text();
      expect(report).toContain('no point of its curve');
      expect(report).toContain('1024 bits; at least 2048');
      expect(await (await stage.gateway.fetch('/ready')).text()).not.toContain('bits');
    });
  },
);
