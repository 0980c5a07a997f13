import { describe, expect, it } from 'vitest';
import { expectStopped } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';

async function reach(stage: Stage, target: string, headers: Record<string, string | string[]> = {}) {
  const answer = await stage.gateway.fetch(target, { headers });
  expect(answer.status).toBe(200);
  const [request] = stage.upstream.requests.splice(0);
  return { answer, request: request! };
}

gatewaySuite('what a client says about itself is not believed', {}, (stage) => {
  it.each([
    'X-User-ID',
    'x-user-id',
    'X_User_ID',
    'X.User.ID',
    'X-User_ID',
    'X-User-Issuer',
    'X-User-Roles',
    'X-Gateway-Assertion',
    'X_Gateway_Assertion',
    'X-Gateway-Anything',
    'X_Forwarded_For',
    'X-Forwarded-Uri',
    'X-Forwarded-User',
    'X-Forwarded',
    'Forwarded',
    'X-Real-IP',
    'X-Original-URL',
    'X-Rewrite-URL',
    'X-HTTP-Method-Override',
    'X_HTTP_Method_Override',
    'X-Envoy-Original-Path',
    'Proxy-Authorization',
  ])('%s on a public path does not reach the upstream', async (name) => {
    const { request } = await reach(stage, '/public/x', { [name]: 'spoofed-by-the-client' });
    expect(JSON.stringify(request.headers)).not.toContain('spoofed-by-the-client');
  });

  it.each(['X-User-ID', 'X_User_ID', 'x.user.id'])('%s does not replace the identity', async (name) => {
    const authorization = await stage.bearer();
    const { request } = await reach(stage, '/me', { authorization, [name]: 'admin' });
    expect(request.values('x-user-id')).toEqual(['alice']);
    expect(JSON.stringify(request.headers)).not.toContain('admin');
  });

  it.each(['x-user-id', 'x-user-id, x-gateway-assertion, authorization', 'close, X-User-ID'])(
    'Connection: %s does not take the identity away',
    async (connection) => {
      const authorization = await stage.bearer();
      const { request } = await reach(stage, '/me', { authorization, connection });
      expect(request.values('x-user-id')).toEqual(['alice']);
      expect(request.values('x-gateway-assertion')).toHaveLength(1);
      expect(request.values('authorization')).toEqual([authorization]);
    },
  );

  it.each([
    ['X-Forwarded-Uri', '/public/x'],
    ['X-Original-URL', '/public/x'],
    ['X-Rewrite-URL', '/public/x'],
    ['x-envoy-original-path', '/public/x'],
    ['X-Forwarded-Prefix', '/public'],
    ['X-Forwarded-Method', 'OPTIONS'],
  ])('%s does not open a protected path', async (name, value) => {
    const sent = stage.gateway.fetch('/admin/x', { headers: { [name]: value } });
    await expectStopped(sent, 'missing_token', stage.upstream);
  });

  it('X-HTTP-Method-Override chooses no other rule, and is not passed on', async () => {
    const authorization = await stage.bearer({ sub: 'bob' });
    const { request } = await reach(stage, '/documents/1', {
      authorization,
      'x-http-method-override': 'DELETE',
    });
    expect(request.method).toBe('GET');
    expect(request.values('x-http-method-override')).toEqual([]);
  });

  it('Host names no target: the configured one is asked', async () => {
    const { request } = await reach(stage, '/public/x', { host: 'evil.test' });
    expect(request.values('host')).toEqual([new URL(stage.upstream.url).host]);
  });

  it('Host is kept where the rule says preserve_host, as far as the runtime sends another', async () => {
    const own = new URL(stage.upstream.url).host;
    const authorization = await stage.bearer();
    const { request } = await reach(stage, '/hosted/x', { authorization, host: 'api.example.org:8443' });
    // fetch() sends the host of its URL, whatever is set.
    const kept = stage.runtime === 'node' ? 'api.example.org:8443' : own;
    expect(request.values('host')).toEqual([kept]);
    expect(request.values('x-forwarded-host')).toEqual(['api.example.org:8443']);
  });

  it('hop-by-hop fields end here', async () => {
    const { request } = await reach(stage, '/public/x', {
      te: 'trailers',
      'keep-alive': 'timeout=9',
      'proxy-connection': 'keep-alive',
      'x-kept': 'yes',
    });
    for (const name of ['te', 'keep-alive', 'proxy-connection']) expect(request.values(name)).toEqual([]);
    expect(request.values('x-kept')).toEqual(['yes']);
  });
});

gatewaySuite('what the gateway tells the upstream', {}, (stage) => {
  it('the address, scheme and host the caller used', async () => {
    const { request } = await reach(stage, '/public/x', {
      host: 'api.example.org',
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil.test',
      'cf-connecting-ip': '127.0.0.1',
    });
    expect(request.values('x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(request.values('x-forwarded-proto')).toEqual(['http']);
    expect(request.values('x-forwarded-host')).toEqual(['api.example.org']);
    expect(request.values('cf-connecting-ip')).toEqual([]);
  });

  it('Authorization, unless the rule withholds it', async () => {
    const authorization = await stage.bearer();
    const open = await reach(stage, '/me', { authorization });
    expect(open.request.values('authorization')).toEqual([authorization]);
    const discreet = await reach(stage, '/discreet', { authorization });
    expect(discreet.request.values('authorization')).toEqual([]);
  });

  it.each(['r1', 'request-0123456789'])('the request id %j, for caller, upstream and log', async (given) => {
    const { answer, request } = await reach(stage, '/public/x', { 'x-request-id': given });
    expect(answer.headers.get('x-request-id')).toBe(given);
    expect(request.values('x-request-id')).toEqual([given]);
  });

  it.each(['', '-r', 'a b c d e f g h', '"><script>alert(1)', `x${'y'.repeat(200)}`])(
    'not the request id %j, which is replaced',
    async (given) => {
      const { answer, request } = await reach(stage, '/public/x', { 'x-request-id': given });
      const [made] = request.values('x-request-id');
      expect(made).toMatch(/^[0-9a-f]{32}$/);
      expect(answer.headers.get('x-request-id')).toBe(made);
    },
  );

  it("the caller's trace, with a span of its own", async () => {
    const trace = '0af7651916cd43dd8448eb211c80319c';
    const { request } = await reach(stage, '/public/x', {
      traceparent: `00-${trace}-b7ad6b7169203331-01`,
      tracestate: 'vendor=1',
    });
    expect(request.values('traceparent')[0]).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
    expect(request.values('traceparent')[0]).not.toContain('b7ad6b7169203331');
    expect(request.values('tracestate')).toEqual(['vendor=1']);
  });

  it.each(['00-00000000000000000000000000000000-b7ad6b7169203331-01', 'garbage'])(
    'a new trace instead of %s',
    async (traceparent) => {
      const { request } = await reach(stage, '/public/x', { traceparent, tracestate: 'vendor=1' });
      expect(request.values('traceparent')[0]).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      expect(request.values('tracestate')).toEqual([]);
    },
  );

  it('repeated fields of the caller, all of them', async () => {
    const { request } = await reach(stage, '/public/x', { 'x-many': ['one', 'two'] });
    expect(request.values('x-many').join(', ')).toBe('one, two');
  });
});

gatewaySuite('what the upstream answers', {}, (stage) => {
  it('passes on, less what ends at this hop and what only the gateway may say', async () => {
    stage.upstream.on('/public/answer', (incoming, outgoing) => {
      incoming.resume();
      outgoing.writeHead(
        418,
        [
          ['Content-Type', 'text/plain'],
          ['Set-Cookie', 'a=1; Path=/'],
          ['Set-Cookie', 'b=2; Path=/'],
          ['X-Request-ID', 'of-the-upstream'],
          ['RateLimit', '"upstream";r=1;t=1'],
          ['Proxy-Authenticate', 'Basic'],
          ['Keep-Alive', 'timeout=77'],
          ['X-Own', 'kept'],
        ].flat(),
      );
      outgoing.end('tea');
    });
    const answer = await stage.gateway.fetch('/public/answer', {
      headers: { 'x-request-id': 'of-the-caller' },
    });
    expect(answer.status).toBe(418);
    expect(await answer.text()).toBe('tea');
    expect(answer.headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2; Path=/']);
    expect(answer.headers.get('x-own')).toBe('kept');
    expect(answer.headers.get('x-request-id')).toBe('of-the-caller');
    expect(answer.headers.get('ratelimit')).toMatch(/^"default";/);
    expect(answer.headers.get('proxy-authenticate')).toBeNull();
    expect(answer.headers.get('keep-alive') ?? '').not.toContain('77');
  });
});

gatewaySuite('behind a trusted proxy', { variables: () => ({ TRUSTED_PROXIES: '127.0.0.0/8' }) }, (stage) => {
  // On Workers the edge says who the peer is.
  const proxied = { 'cf-connecting-ip': '127.0.0.1' };

  it('the caller is whom the proxy names', async () => {
    const { request } = await reach(stage, '/public/x', {
      ...proxied,
      'x-forwarded-for': '198.51.100.1, 203.0.113.9, 127.0.0.2',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'api.example.org',
    });
    expect(request.values('x-forwarded-for')).toEqual(['203.0.113.9']);
    expect(request.values('x-forwarded-proto')).toEqual(['https']);
    expect(request.values('x-forwarded-host')).toEqual(['api.example.org']);
  });

  it('its scheme and host count without X-Forwarded-For, when they have the form of one', async () => {
    const said = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'api.example.org:8443' };
    const { request } = await reach(stage, '/public/x', { ...proxied, ...said });
    expect(request.values('x-forwarded-proto')).toEqual(['https']);
    expect(request.values('x-forwarded-host')).toEqual(['api.example.org:8443']);
    const nonsense = { 'x-forwarded-proto': 'gopher', 'x-forwarded-host': 'a/b?c' };
    const other = (await reach(stage, '/public/x', { ...proxied, ...nonsense, host: 'own.example' })).request;
    expect(other.values('x-forwarded-proto')).toEqual(['http']);
    expect(other.values('x-forwarded-host')).toEqual(['own.example']);
  });

  it.each([
    ['203.0.113.7:51234', '203.0.113.7'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['198.51.100.1, ::ffff:203.0.113.7,', '203.0.113.7'],
  ])('the caller of X-Forwarded-For: %s is %s', async (forwardedFor, caller) => {
    const { request } = await reach(stage, '/public/x', { ...proxied, 'x-forwarded-for': forwardedFor });
    expect(request.values('x-forwarded-for')).toEqual([caller]);
  });

  describe('path and method', () => {
    it('are those of the request, whatever the proxy passes along', async () => {
      const sent = stage.gateway.fetch('/admin/x', {
        headers: { ...proxied, 'x-forwarded-for': '203.0.113.9', 'x-forwarded-uri': '/public/x' },
      });
      await expectStopped(sent, 'missing_token', stage.upstream);
    });
  });
});
