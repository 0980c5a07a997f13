import { randomUUID } from 'node:crypto';
import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { expectRefusal } from '../support/refusal.ts';
import { auditOf } from './people.ts';
import type { Browser } from './oauth/browser.ts';
import { address, countOf, KANIDM, makeGroupedTenant, me, oauthSuite, signInAt } from './oauth/suite.ts';

const REFRESH = '/api/v1/auth/oauth/refresh';
const PATHS = [REFRESH, '/api/v1/auth/refresh'];

oauthSuite('the refresh of a session begun by OAuth2', {}, (stage) => {
  const begun = async () => {
    const tenant = await makeGroupedTenant(stage.database);
    const account = { sub: randomUUID(), email: address(), groups: [tenant.users] };
    const browser = stage.browser();
    const answer = await signInAt(browser, stage.kanidm, account, KANIDM);
    expect(answer.status).toBe(303);
    stage.kanidm.calls();
    return { account, browser, tenant };
  };
  const age = (sub: string, interval: string) =>
    stage.database.execute(
      sql`update sallyport_sessions set confirmed_at = now() - ${interval}::interval where subject = ${sub}`,
    );
  const refresh = (browser: Browser, path = REFRESH) => browser.post(path);
  /** The browser loses its cookies; who kept the access token has none that counts. */
  const isOver = async (browser: Browser, sub: string, path = REFRESH) => {
    const kept = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    await expectRefusal(await refresh(browser, path), 'invalid_refresh');
    await expectRefusal(await browser.get('/api/v1/auth/me'), 'missing_token');
    await expectRefusal(await stage.browser().get('/api/v1/auth/me', { cookie: kept }), 'invalid_token');
    expect((await auditOf(stage.database, sub)).map(({ what }) => what)).toContain('refresh_refused');
  };

  it('expired token: refresh works, and is confirmed at the provider by its refresh token and its groups', async () => {
    for (const path of PATHS) {
      const { account, browser } = await begun();
      const before = browser.cookies.get('sallyport');
      for (let turn = 0; turn < 3; turn += 1) {
        expect((await refresh(browser, path)).status).toBe(200);
        expect(stage.kanidm.calls()).toEqual(['/token', '/userinfo']);
      }
      expect(browser.cookies.get('sallyport')).not.toBe(before);
      expect((await me(browser)).id).toBe(account.sub);
    }
  });

  it('by tokens in the body as well', async () => {
    const { browser } = await begun();
    const token = browser.cookies.get('sallyport_refresh');
    const answer = await stage.post('oauth/refresh', { refresh_token: token });
    expect(await answer.json()).toMatchObject({
      token_type: 'Bearer',
      refresh_token: expect.any(String) as string,
    });
  });

  it('revoked Kanidm session: 401, and the session is over', async () => {
    for (const path of PATHS) {
      const { account, browser } = await begun();
      stage.kanidm.end(account.sub);
      await isOver(browser, account.sub, path);
    }
  });

  it('who left the groups of the tenant is out, although the provider goes on refreshing', async () => {
    const { account, browser, tenant } = await begun();
    stage.kanidm.change(account.sub, { email: account.email, groups: [tenant.admins] });
    expect((await refresh(browser)).status).toBe(200);
    const other = await makeGroupedTenant(stage.database);
    stage.kanidm.change(account.sub, { email: account.email, groups: [other.users] });
    await isOver(browser, account.sub);
  });

  it('who was in none of them at sign-in goes on, until they were in one', async () => {
    const { account, tenant } = await begun();
    const bare = { sub: account.sub, email: account.email, groups: [] };
    const again = stage.browser();
    expect((await signInAt(again, stage.kanidm, bare, KANIDM)).status).toBe(303);
    expect((await refresh(again)).status).toBe(200);
    stage.kanidm.change(account.sub, { groups: [tenant.users] });
    expect((await refresh(again)).status).toBe(200);
    stage.kanidm.change(account.sub, { groups: [] });
    await isOver(again, account.sub);
  });

  describe('a provider that is away', () => {
    it('ends nothing for an hour after it last confirmed the session, and access tokens end with that hour', async () => {
      for (const path of ['/token', '/userinfo'])
        for (const fault of ['status', 'refused', 'garbage'] as const) {
          const { account, browser } = await begun();
          await age(account.sub, '55 minutes');
          stage.kanidm.issuer.faults.set(path, fault);
          expect((await refresh(browser)).status).toBe(200);
          const { iat = 0, exp = 0 } = decodeJwt(browser.cookies.get('sallyport') ?? '');
          expect(exp - iat).toBeGreaterThan(200);
          expect(exp - iat).toBeLessThanOrEqual(300);
          stage.kanidm.reset();
          expect((await refresh(browser)).status).toBe(200);
          const { iat: later = 0, exp: end = 0 } = decodeJwt(browser.cookies.get('sallyport') ?? '');
          expect(end - later).toBe(900);
        }
    });

    it('is 503 after that, and the session goes on once it is back', async () => {
      const { account, browser } = await begun();
      await age(account.sub, '61 minutes');
      stage.kanidm.issuer.faults.set('/token', 'status');
      await expectRefusal(await refresh(browser), 'identity_provider_unavailable');
      stage.kanidm.reset();
      expect((await refresh(browser)).status).toBe(200);
      expect((await me(browser)).id).toBe(account.sub);
    });
  });

  it('without a refresh token of the provider it ends an hour after it began', async () => {
    stage.kanidm.answer = { refresh_token: undefined };
    const { account, browser } = await begun();
    expect((await refresh(browser)).status).toBe(200);
    expect(stage.kanidm.calls()).toEqual([]);
    await age(account.sub, '61 minutes');
    await isOver(browser, account.sub);
  });

  it('says how long its tokens last where that is less than usual', async () => {
    const { account, browser } = await begun();
    await age(account.sub, '58 minutes');
    stage.kanidm.issuer.faults.set('/token', 'status');
    const refresh_token = browser.cookies.get('sallyport_refresh');
    const answer = (await (await stage.post('refresh', { refresh_token })).json()) as { expires_in: number };
    expect(answer.expires_in).toBeGreaterThan(0);
    expect(answer.expires_in).toBeLessThanOrEqual(120);
  });

  it('many at once redeem the provider’s token once, which would end its session otherwise, and get one pair', async () => {
    const { account, browser } = await begun();
    const tabs = Array.from({ length: 6 }, () => {
      const tab = stage.browser();
      for (const [name, value] of browser.cookies) tab.cookies.set(name, value);
      return tab;
    });
    const answers = await Promise.all(tabs.map((tab) => refresh(tab)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(stage.kanidm.calls().filter((path) => path === '/token')).toHaveLength(1);
    expect(new Set(tabs.map((tab) => tab.cookies.get('sallyport_refresh'))).size).toBe(1);
    expect((await refresh(tabs[0]!)).status).toBe(200);
    expect((await me(tabs[0]!)).id).toBe(account.sub);
  });

  it('the gateway, which renews on the way, asks the provider as well', async () => {
    const { account, browser } = await begun();
    stage.kanidm.end(account.sub);
    browser.cookies.delete('sallyport');
    await expectRefusal(await browser.get('/me'), 'invalid_refresh');
    const other = await begun();
    other.browser.cookies.delete('sallyport');
    expect((await other.browser.get('/me')).status).toBe(200);
    expect(stage.kanidm.calls()).toEqual(expect.arrayContaining(['/token', '/userinfo']));
  });

  it('tokens of the provider are nowhere in the clear', async () => {
    const { account } = await begun();
    const rows = await countOf(
      stage.database,
      sql`sallyport_sessions where subject = ${account.sub} and provider_token like 'eyJ%..%' and provider_sid is not null`,
    );
    expect(rows).toBe(1);
    expect(
      await countOf(
        stage.database,
        sql`sessions where user_id = ${account.sub} and kanidm_session_id is not null`,
      ),
    ).toBe(1);
  });
});
