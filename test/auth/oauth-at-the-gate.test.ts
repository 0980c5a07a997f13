import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { expectRefusal } from '../support/refusal.ts';
import { makeUser } from './people.ts';
import { link, provisioned } from './oauth/people.ts';
import { KANIDM, oauthSuite, signInAt } from './oauth/suite.ts';
import { bearer, signIn } from './suite.ts';

const COOKIE = 'sallyport';

oauthSuite('a session of a provider at the gateway', {}, (stage) => {
  const got = (field: string) => stage.upstream.requests.at(-1)?.values(field);

  it('switch from password to OAuth2: the API sees the same person by every door', async () => {
    const elsewhere = await makeUser(stage.database, { authMethod: 'dual' });
    const account = randomUUID();
    await link(stage.database, elsewhere, account, stage.kanidm.url);
    const people = [
      { user: await provisioned(stage), sub: undefined },
      { user: elsewhere, sub: account },
    ];
    for (const { user, sub = user.userId } of people) {
      const byPassword = await signIn(stage, user);
      const browser = stage.browser();
      const doors = [
        () => stage.gateway.fetch('/me', { headers: bearer(byPassword.access_token) }),
        async () => {
          await signInAt(browser, stage.kanidm, { sub }, KANIDM);
          return browser.get('/me');
        },
        async () => {
          const claims = { sub, aud: stage.kanidm.clientId };
          const token = await stage.kanidm.issuer.sign(claims, { header: { typ: 'at+jwt' } });
          return stage.gateway.fetch('/me', { headers: bearer(token) });
        },
      ];
      for (const through of doors) {
        expect((await through()).status).toBe(200);
        expect(got('x-user-id')).toEqual([user.userId]);
        expect(got('x-user-tenant')).toEqual([user.tenantId]);
        expect(got('x-user-role')).toEqual(['user']);
      }
    }
  });

  it('revoked Kanidm session: its renewal on the way is 401, clears the cookies and ends it', async () => {
    const { userId: sub } = await provisioned(stage);
    const browser = stage.browser();
    await signInAt(browser, stage.kanidm, { sub }, KANIDM);
    const before = new Map(browser.cookies);
    stage.kanidm.end(sub);
    browser.cookies.delete(COOKIE);
    await expectRefusal(await browser.get('/me'), 'invalid_refresh');
    expect(browser.cookies.size).toBe(0);
    const cookie = [...before].map(([name, value]) => `${name}=${value}`).join('; ');
    await expectRefusal(await stage.gateway.fetch('/me', { headers: { cookie } }), 'invalid_token');
  });

  it('Kanidm away: the session is renewed on the way all the same', async () => {
    const { userId: sub } = await provisioned(stage);
    const browser = stage.browser();
    await signInAt(browser, stage.kanidm, { sub }, KANIDM);
    stage.kanidm.issuer.faults.set('/token', 'status');
    browser.cookies.delete(COOKIE);
    expect((await browser.get('/me')).status).toBe(200);
    expect(browser.cookies.has(COOKIE)).toBe(true);
  });
});
