import { describe, expect, it } from 'vitest';
import { expectRefusal } from '../support/refusal.ts';
import {
  AUTHORIZE,
  KANIDM,
  leave,
  makeGroupedTenant,
  memberOf,
  oauthSuite,
  signInAt,
} from './oauth/suite.ts';
import { PUBLIC_URL } from './suite.ts';

oauthSuite('the way to the provider and back', {}, (stage) => {
  describe('a browser is sent', () => {
    it('with PKCE S256, state, nonce and one redirect URI per issuer; a hint goes along', async () => {
      for (const provider of [stage.kanidm, stage.zitadel]) {
        const name = provider === stage.kanidm ? 'kanidm' : 'zitadel';
        const browser = stage.browser();
        const url = new URL(await leave(browser, { provider: name, login_hint: 'bob@example.org' }));
        expect(url.origin + url.pathname).toBe(`${provider.url}/authorize`);
        const { state, nonce, code_challenge, scope, ...rest } = Object.fromEntries(url.searchParams);
        expect(rest).toEqual({
          response_type: 'code',
          client_id: provider.clientId,
          redirect_uri: `${PUBLIC_URL}/api/v1/auth/oauth/callback/${name}`,
          code_challenge_method: 'S256',
          login_hint: 'bob@example.org',
        });
        for (const secret of [state, nonce, code_challenge]) expect(secret).toMatch(/^[\w-]{43}$/);
        expect(new Set([state, nonce, code_challenge]).size).toBe(3);
        expect(scope?.split(' ')).toEqual(expect.arrayContaining(['openid', 'email', 'profile']));
      }
    });

    it('to Kanidm with the scopes that it has a map of, and no other', async () => {
      const scopes = async () => new URL(await leave(stage.browser(), KANIDM)).searchParams.get('scope');
      expect(await scopes()).toBe('openid profile email groups');
    });

    it('with a cookie of ten minutes that shows nothing, for this host and for no script', async () => {
      const answer = await stage.get('oauth/authorize?provider=kanidm&return_to=/reports');
      const [cookie, ...more] = answer.headers.getSetCookie();
      expect(more).toEqual([]);
      expect(cookie).toMatch(
        /^sallyport_in_[\w-]{12}=eyJ[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/,
      );
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
    });

    it('not to a provider that there is no client of', async () => {
      for (const provider of ['', 'session', 'Kanidm', 'constructor', 'kanidm/', stage.kanidm.url])
        await expectRefusal(
          await stage.browser().get(`${AUTHORIZE}?${new URLSearchParams({ provider }).toString()}`),
          'unknown_provider',
        );
      await expectRefusal(await stage.browser().get(AUTHORIZE), 'unknown_provider');
      await expectRefusal(await stage.get('oauth/callback/nobody?state=a&code=b'), 'unknown_provider');
      await expectRefusal(await stage.get('oauth/callback/?state=a&code=b'), 'unknown_provider');
    });

    it('not with a tenant or a hint that is no short text', async () => {
      for (const query of [{ tenant: 'x'.repeat(101) }, { tenant: 'a\nb' }, { login_hint: 'x'.repeat(256) }])
        await expectRefusal(
          await stage
            .browser()
            .get(`${AUTHORIZE}?${new URLSearchParams({ ...KANIDM, ...query }).toString()}`),
          'invalid_request',
        );
    });

    it('from two tabs at once, each of which comes back to where it began', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      const account = memberOf(tenant);
      const browser = stage.browser();
      const one = await leave(browser, { ...KANIDM, return_to: '/one' });
      const other = await leave(browser, { ...KANIDM, return_to: '/other' });
      const second = await browser.get(stage.kanidm.approve(other, account));
      expect(second.headers.get('location')).toBe('/other');
      const first = await browser.get(stage.kanidm.approve(one, account));
      expect(first.headers.get('location')).toBe('/one');
      expect([...browser.cookies.keys()].sort()).toEqual(['sallyport', 'sallyport_refresh']);
    });

    it('from many tabs with the last four kept, whatever else is in such cookies', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      const browser = stage.browser();
      browser.cookies.set('sallyport_in_forged000000', 'not ours');
      const ways: string[] = [];
      for (let tab = 0; tab < 7; tab += 1) ways.push(await leave(browser, KANIDM));
      const kept = [...browser.cookies.keys()].filter((name) => name.startsWith('sallyport_in_'));
      expect(kept).toHaveLength(4);
      const account = memberOf(tenant);
      await expectRefusal(await browser.get(stage.kanidm.approve(ways[0]!, account)), 'invalid_callback');
      for (const way of ways.slice(3))
        expect((await browser.get(stage.kanidm.approve(way, account))).status).toBe(303);
    });
  });

  it('return_to is a local path, and anything else a fixed one', async () => {
    const tenant = await makeGroupedTenant(stage.database);
    const account = memberOf(tenant);
    const back = async (returnTo: string) => {
      const browser = stage.browser();
      const answer = await signInAt(browser, stage.kanidm, account, { ...KANIDM, return_to: returnTo });
      return answer.headers.get('location');
    };
    for (const path of ['/', '/documents/1', '/a?b=c&d=%2F%2Fe#f', '/a/b.html'])
      expect(await back(path)).toBe(path);
    for (const path of [
      ...['//evil', '///evil', '/\\evil', '\\\\evil', 'https:evil', 'https://evil.example.org', '%2f%2fevil'],
      ...[
        '/%2f%2fevil',
        '/%5cevil',
        '/a//b',
        '/\t/evil',
        '/\n//evil',
        ' //evil',
        '/ evil',
        '/%0d%0aset-cookie:a=b',
      ],
      ...[
        'javascript:alert(1)',
        'data:text/html,x',
        'evil',
        '',
        '/a/../../b',
        '/.//evil',
        '/%2e%2e//evil',
        '/é',
      ],
      ...[
        '/@evil.example.org/..//',
        `/${'a'.repeat(600)}`,
        '/<script>',
        '/%252f%252fevil',
        '?a',
        '#a',
        '/a\\..\\b',
      ],
    ])
      expect([path, await back(path)]).toEqual([path, '/']);
  });
});
