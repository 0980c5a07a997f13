import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { expectRefusal } from '../support/refusal.ts';
import type { FakeProvider } from './oauth/provider.ts';
import {
  countOf,
  expectNothing,
  KANIDM,
  leave,
  makeGroupedTenant,
  me,
  memberOf,
  oauthSuite,
  signInAt,
} from './oauth/suite.ts';
import { PUBLIC_URL } from './suite.ts';

oauthSuite('what comes back from the provider', {}, (stage) => {
  describe('what comes back is refused, without a session,', () => {
    it('when the state is missing, unknown, doubled or of another browser', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      const account = memberOf(tenant);
      const browser = stage.browser();
      const back = stage.kanidm.approve(await leave(browser, KANIDM), account);
      const url = new URL(back, PUBLIC_URL);
      const path = (change: (query: URLSearchParams) => void): string => {
        const other = new URL(url);
        change(other.searchParams);
        return other.pathname + other.search;
      };
      // A page of a sibling host begins at the provider, and writes what it was given into a cookie of its own.
      const tossed = stage.browser();
      tossed.cookies.set(
        'prefs',
        `x,${[...browser.cookies].map(([name, value]) => `${name}=${value}`).join()}`,
      );
      await expectRefusal(await tossed.get(back), 'invalid_callback');
      const bent = [
        path((query) => {
          query.delete('state');
        }),
        path((query) => {
          query.set('state', 'x'.repeat(43));
        }),
        path((query) => {
          query.set('state', query.get('state')!.toUpperCase());
        }),
        path((query) => {
          query.set('state', query.get('state')!.slice(0, -1));
        }),
        path((query) => {
          query.append('state', query.get('state')!);
        }),
        path((query) => {
          query.append('code', query.get('code')!);
        }),
        path((query) => {
          query.delete('code');
        }),
        path((query) => {
          query.set('code', '');
        }),
        path((query) => {
          query.set('code', 'x'.repeat(8_193));
        }),
        path((query) => {
          query.set('id_token', 'eyJ.eyJ.x');
        }),
        path((query) => {
          query.set('response', 'eyJ.eyJ.x');
        }),
        path((query) => {
          query.set('iss', stage.zitadel.url);
        }),
        path((query) => {
          query.set('iss', `${stage.kanidm.url}/`);
        }),
      ];
      await expectRefusal(await stage.browser().get(back), 'invalid_callback');
      for (const each of bent) {
        const other = stage.browser();
        for (const [name, value] of browser.cookies) other.cookies.set(name, value);
        await expectRefusal(await other.get(each), 'invalid_callback');
        expect(other.cookies.has('sallyport')).toBe(false);
      }
      await expectNothing(stage, stage.kanidm, account.sub);
      expect((await browser.get(back)).status).toBe(303);
    });

    it('when state and code come again, although Kanidm takes a code twice', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      const account = memberOf(tenant);
      const browser = stage.browser();
      const back = stage.kanidm.approve(await leave(browser, KANIDM), account);
      const held = new Map(browser.cookies);
      expect((await browser.get(back)).status).toBe(303);
      const again = stage.browser();
      for (const [name, value] of held) again.cookies.set(name, value);
      await expectRefusal(await again.get(back), 'invalid_callback');
      expect(again.cookies.size).toBe(0);
      expect(await countOf(stage.database, sql`sallyport_sessions where subject = ${account.sub}`)).toBe(1);
    });

    it('when the same answer comes twice at once: one session', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      const account = memberOf(tenant);
      const browser = stage.browser();
      const back = stage.kanidm.approve(await leave(browser, KANIDM), account);
      const answers = await Promise.all(
        Array.from({ length: 6 }, () => {
          const tab = stage.browser();
          for (const [name, value] of browser.cookies) tab.cookies.set(name, value);
          return tab.get(back);
        }),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([303, 400, 400, 400, 400, 400]);
      expect(await countOf(stage.database, sql`sallyport_sessions where subject = ${account.sub}`)).toBe(1);
    });

    it('when a new account comes from several browsers at once: one user, every session theirs', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      for (const sub of [randomUUID(), `9${Date.now()}`]) {
        const account = { ...memberOf(tenant), sub };
        const browsers = Array.from({ length: 5 }, () => stage.browser());
        const backs = await Promise.all(
          browsers.map(async (browser) => stage.kanidm.approve(await leave(browser, KANIDM), account)),
        );
        const answers = await Promise.all(browsers.map((browser, at) => browser.get(backs[at]!)));
        expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 303));
        const ids = await Promise.all(browsers.map(async (browser) => (await me(browser)).id));
        expect(new Set(ids).size).toBe(1);
        expect(await countOf(stage.database, sql`users where email = ${account.email}`)).toBe(1);
      }
    });

    it('when the code is of another sign-in, whose verifier and nonce are missing here', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      const [victim, attacker] = [memberOf(tenant), memberOf(tenant)];
      const browser = stage.browser();
      const stolen = new URL(stage.kanidm.approve(await leave(stage.browser(), KANIDM), victim), PUBLIC_URL);
      const own = new URL(stage.kanidm.approve(await leave(browser, KANIDM), attacker), PUBLIC_URL);
      own.searchParams.set('code', stolen.searchParams.get('code')!);
      await expectRefusal(await browser.get(own.pathname + own.search), 'invalid_callback');
      await expectNothing(stage, stage.kanidm, victim.sub);
    });

    it('when it comes to the other provider’s address, or names another issuer', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      const account = memberOf(tenant);
      const browser = stage.browser();
      const back = stage.zitadel.approve(await leave(browser, { provider: 'zitadel' }), account);
      await expectRefusal(await browser.get(back.replace('/zitadel', '/kanidm')), 'invalid_callback');
      for (const iss of [stage.kanidm.url, '', `${stage.zitadel.url}/`]) {
        const other = new URL(back, PUBLIC_URL);
        if (iss === '') other.searchParams.delete('iss');
        else other.searchParams.set('iss', iss);
        const tab = stage.browser();
        for (const [name, value] of browser.cookies) tab.cookies.set(name, value);
        await expectRefusal(await tab.get(other.pathname + other.search), 'invalid_callback');
      }
      await expectNothing(stage, stage.zitadel, account.sub);
    });

    it('when the person gave up or the provider refused; what was given up is no error of callbacks', async () => {
      const count = (from: ReturnType<typeof sql>) => stage.database.execute(sql`select from ${from}`);
      const recorded = async () => ({
        refused: await count(
          sql`sallyport_audit where what = 'sign_in_refused' and detail ->> 'by' = 'kanidm'`,
        ),
        cancelled: await count(
          sql`sallyport_audit where what = 'sign_in_cancelled' and detail ->> 'by' = 'kanidm'`,
        ),
        errors: await count(sql`sallyport_figures_deltas where what = 'oauth_failures'`),
      });
      const before = await recorded();
      for (const error of ['access_denied', 'login_required', 'invalid_scope', 'x'.repeat(200), '<script>']) {
        const browser = stage.browser();
        const state = new URL(await leave(browser, KANIDM)).searchParams.get('state')!;
        const query = new URLSearchParams({ state, error, error_description: 'secret words' }).toString();
        const answer = await browser.get(`/api/v1/auth/oauth/callback/kanidm?${query}`);
        expect(JSON.stringify(await expectRefusal(answer, 'invalid_callback'))).not.toContain('secret words');
        expect(browser.cookies.size).toBe(0);
      }
      expect(await recorded()).toEqual({
        refused: before.refused + 4,
        cancelled: before.cancelled + 1,
        errors: before.errors + 4,
      });
    });

    const bent: readonly (readonly [string, (provider: FakeProvider) => void | Promise<void>])[] = [
      ['another nonce', (p) => void (p.idToken.claims = { nonce: 'x' })],
      ['no nonce', (p) => void (p.idToken.claims = { nonce: undefined })],
      ['another aud', (p) => void (p.idToken.claims = { aud: 'other' })],
      ['no aud', (p) => void (p.idToken.claims = { aud: undefined })],
      ['several aud without azp', (p) => void (p.idToken.claims = { aud: [p.clientId, 'other'] })],
      ['another azp', (p) => void (p.idToken.claims = { azp: 'other' })],
      ['another iss', (p) => void (p.idToken.claims = { iss: 'https://other.example.org' })],
      ['an exp of the past', (p) => void (p.idToken.claims = { exp: Math.floor(Date.now() / 1_000) - 120 })],
      ['no exp', (p) => void (p.idToken.claims = { exp: undefined })],
      ['no iat', (p) => void (p.idToken.claims = { iat: undefined })],
      ['no sub', (p) => void (p.idToken.claims = { sub: undefined })],
      ['a sub that is a list', (p) => void (p.idToken.claims = { sub: ['a'] })],
      ['the sub of everybody', (p) => void (p.idToken.claims = { sub: '*' })],
      ['a sub with NUL', (p) => void (p.idToken.claims = { sub: 'a\0b' })],
      ['alg none', (p) => void (p.idToken.text = unsigned)],
      [
        'a signature cut off',
        (p) => void (p.idToken.text = (token) => token.slice(0, token.lastIndexOf('.') + 1)),
      ],
      ['another signature', (p) => void (p.idToken.text = (token) => token.slice(0, -8) + 'AAAAAAAA')],
      ['five parts', (p) => void (p.idToken.text = (token) => `${token}.a.b`)],
      ['no text', (p) => void (p.answer = { id_token: 7 })],
      ['not at all', (p) => void (p.answer = { id_token: undefined })],
    ];
    it.each(bent)('when the ID token has %s', async (_what, bend) => {
      const tenant = await makeGroupedTenant(stage.database);
      const account = memberOf(tenant);
      const browser = stage.browser();
      const way = await leave(browser, KANIDM);
      await bend(stage.kanidm);
      await expectRefusal(await browser.get(stage.kanidm.approve(way, account)), 'invalid_callback');
      expect(browser.cookies.size).toBe(0);
      await expectNothing(stage, stage.kanidm, account.sub);
    });

    it('when the key is not there, after one look for it', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      const account = memberOf(tenant);
      const browser = stage.browser();
      await signInAt(browser, stage.kanidm, memberOf(tenant), KANIDM);
      const way = await leave(browser, KANIDM);
      stage.kanidm.idToken.sign = { header: { typ: undefined, kid: randomUUID() } };
      stage.kanidm.calls();
      await expectRefusal(await browser.get(stage.kanidm.approve(way, account)), 'invalid_callback');
      expect(stage.kanidm.calls().filter((path) => path === '/oauth/v2/keys')).toHaveLength(1);
      await expectNothing(stage, stage.kanidm, account.sub);
    });
  });
});

function unsigned(token: string): string {
  const [, payload = ''] = token.split('.');
  return `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
}
