import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { groupUuid } from '../../shared/identity/tenant-groups.ts';
import { sql } from '../../shared/ports/database.ts';
import { expectRefusal } from '../support/refusal.ts';
import type { Browser } from './oauth/browser.ts';
import { address, countOf, group, makeGroupedTenant, me, oauthSuite, signInAt } from './oauth/suite.ts';

const ZITADEL = { provider: 'zitadel' };

oauthSuite('back-channel logout', {}, (stage) => {
  const send = (token: string, provider = 'zitadel', headers: Record<string, string> = {}) =>
    stage.gateway.fetch(`/api/v1/auth/oauth/backchannel-logout/${provider}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: new URLSearchParams({ logout_token: token }).toString(),
    });
  const somebody = async () => {
    const tenant = await makeGroupedTenant(stage.database);
    await group(stage.database, tenant, groupUuid(stage.zitadel.url, tenant.tenantId), 'member');
    return {
      sub: randomUUID(),
      email: address(),
      'urn:zitadel:iam:user:resourceowner:id': tenant.tenantId,
    };
  };
  const signedIn = async (account: Awaited<ReturnType<typeof somebody>>) => {
    const browser = stage.browser();
    expect((await signInAt(browser, stage.zitadel, account, ZITADEL)).status).toBe(303);
    return { browser, sid: stage.zitadel.sidOf(account.sub) ?? '' };
  };
  const lives = async (browser: Browser) => (await me(browser)).session.id;
  const isOver = async (browser: Browser) => {
    await expectRefusal(await browser.get('/api/v1/auth/me'), 'invalid_token');
    // The gateway, by its mark: a token that it remembers as well.
    await expectRefusal(await browser.get('/me'), 'invalid_token');
  };

  it('ends the session of a sid, on every route within a second, and no other', async () => {
    const account = await somebody();
    const [one, other] = [await signedIn(account), await signedIn(account)];
    expect((await one.browser.get('/me')).status).toBe(200);
    const answer = await send(await stage.zitadel.logoutToken({ sid: one.sid }));
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
    await isOver(one.browser);
    await expectRefusal(await one.browser.post('/api/v1/auth/oauth/refresh'), 'invalid_refresh');
    const { id } = await me(other.browser);
    expect(
      await countOf(
        stage.database,
        sql`sallyport_audit where who = 'zitadel' and what = 'session_ended' and detail ->> 'why' = 'ended at the provider' and subject = ${id}`,
      ),
    ).toBe(1);
  });

  it('ends all sessions of a sub, and none of the same sub at another provider', async () => {
    const account = await somebody();
    const [one, other] = [await signedIn(account), await signedIn(account)];
    const tenant = await makeGroupedTenant(stage.database);
    const elsewhere = stage.browser();
    const twin = { sub: account.sub, email: address(), groups: [tenant.users] };
    await signInAt(elsewhere, stage.kanidm, twin, { provider: 'kanidm' });
    expect((await send(await stage.zitadel.logoutToken({ sub: account.sub }))).status).toBe(200);
    await isOver(one.browser);
    await isOver(other.browser);
    expect(await lives(elsewhere)).toBeTruthy();
  });

  it('with both, ends the session of the sid where it is the sub’s', async () => {
    const account = await somebody();
    const [one, other] = [await signedIn(account), await signedIn(account)];
    expect((await send(await stage.zitadel.logoutToken({ sid: one.sid, sub: randomUUID() }))).status).toBe(
      200,
    );
    expect(await lives(one.browser)).toBeTruthy();
    expect((await send(await stage.zitadel.logoutToken({ sid: one.sid, sub: account.sub }))).status).toBe(
      200,
    );
    await isOver(one.browser);
    expect(await lives(other.browser)).toBeTruthy();
  });

  it('is 200 for what has no session here', async () => {
    expect((await send(await stage.zitadel.logoutToken({ sid: 'V1_0', sub: 'nobody' }))).status).toBe(200);
  });

  it('counts once: a token that comes again ends no session that began since', async () => {
    const account = await somebody();
    const first = await signedIn(account);
    const token = await stage.zitadel.logoutToken({ sub: account.sub });
    expect((await send(token)).status).toBe(200);
    await isOver(first.browser);
    const second = await signedIn(account);
    await expectRefusal(await send(token), 'invalid_request');
    expect(await lives(second.browser)).toBeTruthy();
  });

  describe('refuses', () => {
    const now = () => Math.floor(Date.now() / 1_000);
    const bent: readonly (readonly [string, () => Record<string, unknown>])[] = [
      ['another aud', () => ({ aud: 'other' })],
      ['another iss', () => ({ iss: 'https://other.example.org' })],
      ['an exp of the past', () => ({ exp: now() - 120 })],
      ['an iat of long ago', () => ({ iat: now() - 3_600 })],
      ['an iat to come', () => ({ iat: now() + 3_600, exp: now() + 7_200 })],
      ['no iat', () => ({ iat: undefined })],
      ['no jti', () => ({ jti: undefined })],
      ['a nonce', () => ({ nonce: 'n' })],
      ['no events', () => ({ events: undefined })],
      ['events of another kind', () => ({ events: { 'https://example.org/event': {} } })],
      [
        'an event that is no object',
        () => ({ events: { 'http://schemas.openid.net/event/backchannel-logout': 1 } }),
      ],
      ['neither sid nor sub', () => ({ sid: undefined })],
      ['a sid that is no text', () => ({ sid: 7 })],
      ['a sid with NUL', () => ({ sid: 'a\0' })],
    ];
    it.each(bent)('a logout token with %s', async (_what, claims) => {
      const account = await somebody();
      const { browser, sid } = await signedIn(account);
      await expectRefusal(
        await send(await stage.zitadel.logoutToken({ sid, ...claims() })),
        'invalid_request',
      );
      expect(await lives(browser)).toBeTruthy();
    });

    it('what is signed by nobody, by another key, as another kind, or for another address', async () => {
      const account = await somebody();
      const { browser, sid } = await signedIn(account);
      const token = await stage.zitadel.logoutToken({ sid });
      const [, payload = ''] = token.split('.');
      const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
      const unknown = await stage.zitadel.logoutToken(
        { sid },
        { header: { kid: randomUUID(), typ: 'logout+jwt' } },
      );
      const access = await stage.zitadel.logoutToken({ sid }, { header: { typ: 'at+jwt' } });
      for (const each of [none, unknown, access, `${token.slice(0, -6)}AAAAAA`, '', 'x', 'eyJ.eyJ.x'])
        await expectRefusal(await send(each), 'invalid_request');
      await expectRefusal(await send(token, 'kanidm'), 'invalid_request');
      await expectRefusal(await send(token, 'nobody'), 'unknown_provider');
      const twice = await stage.gateway.fetch('/api/v1/auth/oauth/backchannel-logout/zitadel', {
        method: 'POST',
        body: `logout_token=${token}&logout_token=${token}`,
      });
      await expectRefusal(twice, 'invalid_request');
      expect(await lives(browser)).toBeTruthy();
    });
  });
});
