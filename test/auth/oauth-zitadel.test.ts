import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { provision } from '../../shared/provisioning/provision.ts';
import { formBrowser } from '../dev/browser.ts';
import { depsOf } from '../provisioning/ground.ts';
import { expectRefusal } from '../support/refusal.ts';
import { serve, type Served } from '../support/serve.ts';
import { userOfGroups } from './directory.ts';
import { openBrowser, type Browser } from './oauth/browser.ts';
import { address, leave, linkedTo, me } from './oauth/suite.ts';
import { HASH, startWithZitadel, type WithZitadel } from './oauth/zitadel.ts';
import { PASSWORD, type MadeUser } from './people.ts';
import { authSuite, signIn } from './suite.ts';

const REFRESH = '/api/v1/auth/oauth/refresh';
describe('with a stand-in of Zitadel and an OpenID provider over its people', () => {
  let at: WithZitadel;
  let receiver: Served;
  let forward: (body: string) => Promise<Response>;
  beforeAll(async () => {
    receiver = await serve(0, async (request) => forward(await request.text()));
    at = await startWithZitadel(`${receiver.url}/`);
  });
  afterAll(async () => {
    await at.close();
    await receiver.close();
  });
  const variables = () => at.variables;
  authSuite('sign-in by Zitadel', { variables }, (stage) => {
    beforeAll(() => {
      stage.secrets.push(at.secret);
      forward = (body) =>
        stage.gateway.fetch('/api/v1/auth/oauth/backchannel-logout/zitadel', {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body,
        });
    });
    const open = () => openBrowser((target, sent) => stage.gateway.fetch(target, sent));
    /** What the browser comes back with once the person has typed name and password at the provider. */
    const approved = async (location: string, name: string, password: string): Promise<string> => {
      const visit = formBrowser(at.oidc.url);
      const { location: interaction } = await visit(location);
      const entered = await visit(interaction, { name, password });
      const back = new URL((await visit(entered.location)).location);
      return back.pathname + back.search;
    };
    const sign = async (browser: Browser, name: string, password = PASSWORD) =>
      browser.get(await approved(await leave(browser, { provider: 'zitadel' }), name, password));
    const moved = async (): Promise<MadeUser & { readonly name: string }> => {
      const user = await userOfGroups(stage, at.directory, HASH);
      const request = { tenant: user.slug, limit: null, passwords: true, listed: null };
      await provision(request, depsOf(stage.database, at.directory));
      const { userId: id, email: mail, tenantId, slug } = user;
      return { ...user, name: at.directory.nameOf({ id, mail, tenant: { id: tenantId, slug } }) };
    };

    it('MIGRATED user: both, under one id, by the password whose hash went along', async () => {
      const user = await moved();
      const browser = open();
      const answer = await sign(browser, user.name);
      expect([answer.status, answer.headers.get('location')]).toEqual([303, '/']);
      expect(await me(browser)).toMatchObject({
        id: user.userId,
        tenant: user.slug,
        auth_method: 'dual',
        session: { auth_method: 'kanidm' },
      });
      expect(await linkedTo(stage.database, at.oidc.url, user.userId)).toMatchObject([
        { user_id: user.userId, completed: expect.any(Date) as Date },
      ]);
      expect((await signIn(stage, user)).user.id).toBe(user.userId);
    });

    it('NEW user: OAuth2 works, in the tenant of the organisation', async () => {
      const { tenantId, slug } = await moved();
      const email = address();
      const organization = tenantId;
      at.zitadel.users.create({ userName: email, email, organization, hash: HASH });
      const browser = open();
      expect((await sign(browser, email)).status).toBe(303);
      expect(await me(browser)).toMatchObject({ tenant: slug, email, role: 'user', auth_method: 'kanidm' });
    });

    it('expired token: refresh works, and no longer once the account is deactivated', async () => {
      const user = await moved();
      const browser = open();
      await sign(browser, user.name);
      for (let turn = 0; turn < 2; turn += 1) expect((await browser.post(REFRESH)).status).toBe(200);
      at.zitadel.users.deactivate(user.userId);
      await expectRefusal(await browser.post(REFRESH), 'invalid_refresh');
      await expectRefusal(await browser.get('/api/v1/auth/me'), 'missing_token');
    });

    it('signing out there ends the session here', async () => {
      const user = await moved();
      const [browser, other] = [open(), open()];
      await sign(browser, user.name);
      await sign(other, (await moved()).name);
      expect(await at.oidc.signOut(user.userId)).toBe(1);
      await expectRefusal(await browser.get('/api/v1/auth/me'), 'invalid_token');
      expect((await me(other)).id).not.toBe(user.userId);
    });

    it('a code counts once, and in the browser alone that began', async () => {
      const user = await moved();
      const browser = open();
      const back = await approved(await leave(browser, { provider: 'zitadel' }), user.name, PASSWORD);
      await expectRefusal(await open().get(back), 'invalid_callback');
      const cookies = new Map(browser.cookies);
      expect((await browser.get(back)).status).toBe(303);
      for (const [name, value] of cookies) browser.cookies.set(name, value);
      await expectRefusal(await browser.get(back), 'invalid_callback');
    });
  });
});
