import { hashSync } from 'bcryptjs';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOidc, type OidcServer } from '../../dev/oidc/index.ts';
import { startZitadel, type Zitadel } from '../../dev/zitadel/index.ts';
import { directoryOf } from '../../dev/zitadel/sign-in.ts';
import { ORGANIZATION } from '../../dev/zitadel/users.ts';
import { provision } from '../../shared/provisioning/provision.ts';
import type { Directory } from '../../shared/ports/directory.ts';
import { openDirectory } from '../contracts/directory-support.ts';
import { formBrowser } from '../dev/browser.ts';
import { depsOf } from '../provisioning/ground.ts';
import { expectRefusal } from '../support/refusal.ts';
import { serve, type Served } from '../support/serve.ts';
import { userOfGroups } from './directory.ts';
import { openBrowser, type Browser } from './oauth/browser.ts';
import { address, leave, linkedTo, me } from './oauth/suite.ts';
import { PASSWORD, type MadeUser } from './people.ts';
import { authSuite, PUBLIC_URL, signIn } from './suite.ts';

const CLIENT = 'sallyport-web';
const REFRESH = '/api/v1/auth/oauth/refresh';
/** At a cost that Zitadel takes. */
const HASH = hashSync(PASSWORD, 10);

describe('with a stand-in of Zitadel and an OpenID provider over its people', () => {
  let zitadel: Zitadel;
  let oidc: OidcServer;
  let directory: Directory;
  let receiver: Served;
  let forward: (body: string) => Promise<Response>;
  const secret = randomUUID();
  let project = '';
  beforeAll(async () => {
    receiver = await serve(0, async (request) => forward(await request.text()));
    zitadel = await startZitadel();
    project = zitadel.grants.createProject(ORGANIZATION, 'api');
    oidc = await startOidc({
      directory: directoryOf(zitadel),
      webClient: {
        ...{ id: CLIENT, secret, projectId: project },
        redirectUris: [`${PUBLIC_URL}/api/v1/auth/oauth/callback/zitadel`],
        backchannelLogoutUri: `${receiver.url}/`,
      },
    });
    const { url, token } = zitadel;
    const where = { issuer: oidc.url, url, token, organization: ORGANIZATION, projectId: project } as const;
    directory = openDirectory({ provider: 'zitadel', tenancy: 'organisations', ...where });
  });
  afterAll(async () => {
    await oidc.close();
    await zitadel.close();
    await receiver.close();
  });
  const variables = () => ({
    MIGRATION_PROVIDER: 'zitadel',
    ZITADEL_ISSUER_URL: oidc.url,
    ZITADEL_AUDIENCE: oidc.audience,
    ZITADEL_API_URL: zitadel.url,
    ZITADEL_ORGANIZATION: ORGANIZATION,
    ZITADEL_PROJECT_ID: project,
    ZITADEL_OAUTH_CLIENT_ID: CLIENT,
    ZITADEL_OAUTH_CLIENT_SECRET: secret,
  });
  authSuite('sign-in by Zitadel', { variables }, (stage) => {
    beforeAll(() => {
      stage.secrets.push(secret);
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
      const visit = formBrowser(oidc.url);
      const { location: interaction } = await visit(location);
      const entered = await visit(interaction, { name, password });
      const back = new URL((await visit(entered.location)).location);
      return back.pathname + back.search;
    };
    const sign = async (browser: Browser, name: string, password = PASSWORD) =>
      browser.get(await approved(await leave(browser, { provider: 'zitadel' }), name, password));
    const moved = async (): Promise<MadeUser & { readonly name: string }> => {
      const user = await userOfGroups(stage, directory, HASH);
      const request = { tenant: user.slug, limit: null, passwords: true, listed: null };
      await provision(request, depsOf(stage.database, directory));
      const { userId: id, email: mail, tenantId, slug } = user;
      return { ...user, name: directory.nameOf({ id, mail, tenant: { id: tenantId, slug } }) };
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
      expect(await linkedTo(stage.database, oidc.url, user.userId)).toMatchObject([
        { user_id: user.userId, completed: expect.any(Date) as Date },
      ]);
      expect((await signIn(stage, user)).user.id).toBe(user.userId);
    });

    it('NEW user: OAuth2 works, in the tenant of the organisation', async () => {
      const { tenantId, slug } = await moved();
      const email = address();
      const organization = tenantId;
      zitadel.users.create({ userName: email, email, organization, hash: HASH });
      const browser = open();
      expect((await sign(browser, email)).status).toBe(303);
      expect(await me(browser)).toMatchObject({ tenant: slug, email, role: 'user', auth_method: 'kanidm' });
    });

    it('expired token: refresh works, and no longer once the account is deactivated', async () => {
      const user = await moved();
      const browser = open();
      await sign(browser, user.name);
      for (let turn = 0; turn < 2; turn += 1) expect((await browser.post(REFRESH)).status).toBe(200);
      zitadel.users.deactivate(user.userId);
      await expectRefusal(await browser.post(REFRESH), 'invalid_refresh');
      await expectRefusal(await browser.get('/api/v1/auth/me'), 'missing_token');
    });

    it('signing out there ends the session here', async () => {
      const user = await moved();
      const [browser, other] = [open(), open()];
      await sign(browser, user.name);
      await sign(other, (await moved()).name);
      expect(await oidc.signOut(user.userId)).toBe(1);
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
