import { createLocalJWKSet, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { exchange } from '../support/raw-socket.ts';
import { expectRefusal, expectStopped } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';
import { METRICS_TOKEN } from '../support/world.ts';

async function assertionOf(stage: Stage, sub: string, target: string): Promise<string | undefined> {
  const authorization = await stage.bearer({ sub });
  expect((await stage.gateway.fetch(target, { headers: { authorization } })).status).toBe(200);
  return stage.upstream.requests.splice(0)[0]?.values('x-gateway-assertion')[0];
}

const published = async (stage: Stage) =>
  (await stage.gateway.fetch('/.well-known/sallyport/jwks.json')).json() as Promise<{ keys: never[] }>;

gatewaySuite('the bundle answers for itself', {}, (stage) => {
  it('/health is OK', async () => {
    const answer = await stage.gateway.fetch('/health');
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe('OK');
  });

  it('/ready names each dependency and its state', async () => {
    const answer = await stage.gateway.fetch('/ready');
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      ready: true,
      dependencies: {
        keys_zitadel: { up: true, state: 'fresh' },
        authorization: { up: true },
        target_upstream: { needed: false },
        access_rules: { up: true },
      },
    });
  });

  it('these paths are not forwarded, whatever is asked of them', async () => {
    await stage.gateway.fetch('/health?x=1');
    await expectStopped(
      stage.gateway.fetch('/health', { method: 'DELETE' }),
      'method_not_allowed',
      stage.upstream,
    );
    expect(stage.upstream.requests).toEqual([]);
  });

  it('/metrics counts requests by rule and code, for whoever holds METRICS_TOKEN', async () => {
    await stage.gateway.fetch('/public/secret-name');
    const answer = await stage.gateway.fetch('/metrics', {
      headers: { authorization: `bearer ${METRICS_TOKEN}` },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toContain('text/plain');
    const text = await answer.text();
    expect(text).toMatch(/sallyport_requests_total\{rule="\/public\/\*rest",.*code="ok"\} \d+/);
    expect(text).not.toContain('secret-name');
  });

  it('/metrics stays closed for anybody else', async () => {
    await expectRefusal(await stage.gateway.fetch('/metrics'), 'missing_token');
    const headers = { authorization: 'Bearer wrong-token-of-this-test' };
    await expectRefusal(await stage.gateway.fetch('/metrics', { headers }), 'invalid_token');
  });
});

gatewaySuite('X-Gateway-Assertion', {}, (stage) => {
  it('proves to the upstream who asks and what was granted, by the published keys', async () => {
    const assertion = await assertionOf(stage, 'bob', '/admin/x');
    const keys = await published(stage);
    expect(JSON.stringify(keys)).not.toContain('"d"');
    const { payload, protectedHeader } = await jwtVerify(assertion ?? '', createLocalJWKSet(keys), {
      issuer: 'sallyport',
      audience: 'upstream',
      algorithms: ['ES256'],
    });
    expect(protectedHeader.alg).toBe('ES256');
    expect(payload).toMatchObject({
      sub: 'bob',
      sub_iss: stage.issuer.url,
      feature: 'admin_panel',
      relation: 'manager',
    });
    expect(payload.exp! - payload.iat!).toBe(60);
  });

  it('says nothing of a grant that a shadow rule did not prove', async () => {
    const assertion = await assertionOf(stage, 'carol', '/shadow');
    const { payload } = await jwtVerify(assertion ?? '', createLocalJWKSet(await published(stage)));
    expect(payload).not.toHaveProperty('relation');
    expect(payload.sub).toBe('carol');
  });

  it('is not made up for a public path', async () => {
    await stage.gateway.fetch('/public/x');
    expect(stage.upstream.requests[0]?.values('x-gateway-assertion')).toEqual([]);
  });
});

const ORIGIN = 'https://app.example.org';
const PROXY = { 'cf-connecting-ip': '127.0.0.1' };

gatewaySuite(
  '/forward-auth for a trusted proxy',
  { variables: () => ({ TRUSTED_PROXIES: '127.0.0.1/32', ALLOWED_ORIGINS: ORIGIN }) },
  (stage) => {
    const decide = (method: string, uri: string, headers: Record<string, string> = {}) =>
      stage.gateway.fetch('/forward-auth', {
        headers: { ...PROXY, 'x-forwarded-method': method, 'x-forwarded-uri': uri, ...headers },
      });

    it('allows with identity fields, and forwards nothing', async () => {
      const authorization = await stage.bearer({ sub: 'bob' });
      const answer = await decide('GET', '/admin/x?y=1', { authorization });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('x-user-id')).toBe('bob');
      expect(answer.headers.get('x-gateway-assertion')).toMatch(/^ey/);
      expect(stage.upstream.requests).toEqual([]);
    });

    it.each([
      ['missing_token', 'GET', '/admin/x'],
      ['no_rule', 'GET', '/elsewhere'],
      ['invalid_path', 'GET', '/public/../admin/x'],
      ['invalid_path', 'GET', '/public/..%2fadmin'],
      ['no_rule', 'POST', '/reports'],
    ] as const)('refuses with %s: %s %s', async (code, method, uri) => {
      await expectStopped(decide(method, uri), code, stage.upstream);
    });

    it.each([
      ['PUT', '/nowhere', 'no_rule'],
      ['PUT', '/public/..%2fadmin', 'invalid_path'],
      ['POST', '/reports', 'no_rule'],
    ] as const)('a preflight for %s %s does not pass: %s', async (asked, uri, code) => {
      const fields = { origin: ORIGIN, 'access-control-request-method': asked };
      await expectStopped(decide('OPTIONS', uri, fields), code, stage.upstream);
    });

    it('a preflight of a listed origin passes without a token, and names nobody', async () => {
      const asked = { origin: ORIGIN, 'access-control-request-method': 'GET' };
      const answer = await decide('OPTIONS', '/reports', asked);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(answer.headers.get('access-control-allow-methods')).toBe('GET');
      expect(answer.headers.get('x-user-id')).toBeNull();
      expect(answer.headers.get('x-gateway-assertion')).toBeNull();
      const other = { ...asked, origin: 'https://evil.test' };
      await expectStopped(decide('OPTIONS', '/admin/x', other), 'missing_token', stage.upstream);
    });

    it('the method of the decision is that of the asked request', async () => {
      const authorization = await stage.bearer({ sub: 'bob' });
      expect((await decide('GET', '/documents/1', { authorization })).status).toBe(200);
      await expectRefusal(await decide('DELETE', '/documents/1', { authorization }), 'forbidden');
    });

    it('a body on the decision call is refused', async () => {
      const sent = stage.gateway.fetch('/forward-auth', {
        method: 'POST',
        headers: { ...PROXY, 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/public/x' },
        body: 'GET /admin/x HTTP/1.1\r\n\r\n',
      });
      await expectStopped(sent, 'invalid_request', stage.upstream);
    });

    it.each([{ 'x-forwarded-method': 'GET' }, { 'x-forwarded-uri': '/public/x' }, {}])(
      'half a question is refused: %o',
      async (headers) => {
        const sent = stage.gateway.fetch('/forward-auth', { headers: { ...PROXY, ...headers } });
        await expectStopped(sent, 'invalid_request', stage.upstream);
      },
    );
  },
);

gatewaySuite('/forward-auth for anybody else', {}, (stage) => {
  it('is refused: who asks could make up the question', async () => {
    const headers = { ...PROXY, 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/public/x' };
    await expectStopped(stage.gateway.fetch('/forward-auth', { headers }), 'forbidden', stage.upstream);
  });

  it('is limited by address when it comes again and again', async () => {
    const stranger = async (): Promise<Response> => {
      const answer = await stage.gateway.fetch('/forward-auth', { headers: PROXY });
      return answer.status === 403 ? stranger() : answer;
    };
    const limited = await stranger();
    expect(limited.headers.get('ratelimit-policy')).toBe('"refused";q=600;w=60');
    await expectRefusal(limited, 'rate_limited');
  });
});

gatewaySuite(
  '/ready while something that requests need is away',
  { before: ({ openfga }) => void (openfga.state = 'away') },
  (stage) => {
    describe('OpenFGA', () => {
      it('503, and says which', async () => {
        const answer = await stage.gateway.fetch('/ready');
        expect(answer.status).toBe(503);
        expect(await answer.json()).toMatchObject({
          ready: false,
          dependencies: { authorization: { up: false, needed: true }, keys_zitadel: { up: true } },
        });
      });
    });
  },
);

const EVERYTHING = [{ path: '/*rest', method: '*', feature: 'public_access' }];

gatewaySuite('own routes win over a rule for everything', { rules: EVERYTHING, onEach: true }, (stage) => {
  it.each(['/%68ealth', '/webhooks/%7Aitadel', '/.well-known/sallyport/jwks%2Ejson'])(
    '%s is not forwarded',
    async (target) => {
      await expectStopped(stage.gateway.fetch(target), 'not_found', stage.upstream);
    },
  );

  it.runIf(stage.runtime === 'node')('nor in absolute-form', async () => {
    const bytes = 'GET http://a/metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    expect(await exchange(stage.gateway.url, bytes)).toMatch(/^HTTP\/1\.1 404 [^]*"not_found"/);
    expect(stage.upstream.requests).toEqual([]);
  });

  it.runIf(stage.runtime === 'node')('an offer to upgrade changes nothing about them', async () => {
    const bytes =
      'GET /health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
    expect(await exchange(stage.gateway.url, bytes)).toMatch(/^HTTP\/1\.1 200 [^]*OK/);
    expect(stage.upstream.requests).toEqual([]);
  });

  it.runIf(stage.runtime === 'node')('a probe of HTTP/1.0 needs no Host', async () => {
    expect(await exchange(stage.gateway.url, 'GET /health HTTP/1.0\r\n\r\n')).toMatch(/ 200 OK[^]*OK$/);
  });
});
