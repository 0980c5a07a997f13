import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { provision } from '../../shared/provisioning/provision.ts';
import { userOfGroups } from '../auth/directory.ts';
import { openBrowser } from '../auth/oauth/browser.ts';
import { me } from '../auth/oauth/suite.ts';
import { HASH, startWithZitadel, type WithZitadel } from '../auth/oauth/zitadel.ts';
import { PASSWORD, type MadeUser } from '../auth/people.ts';
import { authSuite, PUBLIC_URL } from '../auth/suite.ts';
import { formBrowser } from '../dev/browser.ts';
import { depsOf } from '../provisioning/ground.ts';
import { expectRefusal } from '../support/refusal.ts';
import { serve, type Served } from '../support/serve.ts';
import { FORM, invitationRow, invite, INVITES, makeWave } from './door.ts';

describe('an invitation, with a stand-in of Zitadel and an OpenID provider over its people', () => {
  let at: WithZitadel;
  let front: Served;
  let away = false;
  beforeAll(async () => {
    at = await startWithZitadel();
    front = await serve(0, async (request) => {
      if (away) return new Response('', { status: 503 });
      const { pathname, search } = new URL(request.url);
      const { method } = request;
      const headers = new Headers(request.headers);
      // fetch writes its own.
      headers.delete('content-length');
      const body = method === 'GET' ? null : await request.text();
      return fetch(at.zitadel.url + pathname + search, { method, headers, body });
    });
  });
  afterAll(async () => {
    await front.close();
    await at.close();
  });
  const variables = () => ({
    ...at.variables,
    ZITADEL_API_URL: front.url,
    ZITADEL_PROVISIONING_TOKEN: at.zitadel.token,
    ...INVITES,
  });
  authSuite('pages', { variables }, (stage) => {
    const open = () => openBrowser((target, sent) => stage.gateway.fetch(target, sent));
    const provisioned = async (passwords: boolean): Promise<MadeUser> => {
      const user = await userOfGroups(stage, at.directory, HASH);
      const request = { tenant: user.slug, limit: null, passwords, listed: null };
      await provision(request, depsOf(stage.database, at.directory));
      return user;
    };

    it('leads straight to sign-in where the password went along, and the callback completes it', async () => {
      const user = await provisioned(true);
      const invited = await invite(stage, user);
      const browser = open();
      const answer = await browser.post(invited.path, '', FORM);
      const start = new URL(answer.headers.get('location') ?? '');
      expect([answer.status, start.origin, start.pathname]).toEqual([
        303,
        PUBLIC_URL,
        '/api/v1/auth/oauth/authorize',
      ]);
      const { userId: id, email: mail, tenantId, slug } = user;
      const name = at.directory.nameOf({ id, mail, tenant: { id: tenantId, slug } });
      expect(start.searchParams.get('login_hint')).toBe(name);
      const begun = await browser.get(start.pathname + start.search);
      const location = begun.headers.get('location') ?? '';
      expect(new URL(location).searchParams.get('login_hint')).toBe(name);
      const visit = formBrowser(at.oidc.url);
      const { location: interaction } = await visit(location);
      const back = new URL(
        (await visit((await visit(interaction, { name, password: PASSWORD })).location)).location,
      );
      const done = await browser.get(back.pathname + back.search);
      expect([done.status, done.headers.get('location')]).toEqual([303, `${invited.path}/survey`]);
      expect((await me(browser)).id).toBe(user.userId);
      expect(await invitationRow(stage, invited)).toMatchObject({
        accepted: true,
        completed: true,
        end: 'completed',
      });
    });

    it('leads to Zitadel’s own page for an invite code where no password did, to one of 20', async () => {
      const invited = await invite(stage, await provisioned(false));
      const post = () => stage.gateway.fetch(invited.path, { method: 'POST', headers: FORM, body: '' });
      const answers = await Promise.all(Array.from({ length: 20 }, post));
      const led = answers.filter(({ status }) => status !== 409);
      expect(led.map(({ status }) => status)).toEqual([303]);
      expect(led[0]?.headers.get('location')).toMatch(new RegExp(`^${at.oidc.url}/ui/.*code=`));
      expect(await (await stage.gateway.fetch(invited.path)).text()).toContain('Continue to sign in');
    });

    it('makes the account with the invitation, without the password, in a wave with invite codes alone', async () => {
      const [user, other] = [
        await userOfGroups(stage, at.directory, HASH),
        await userOfGroups(stage, at.directory, HASH),
      ];
      const coded = await invite(stage, user, { wave: await makeWave(stage, { inviteCode: true }) });
      const plain = await invite(stage, other, { wave: await makeWave(stage) });
      const post = ({ path }: { path: string }) =>
        stage.gateway.fetch(path, { method: 'POST', headers: FORM, body: '' });
      const led = await post(coded);
      expect([led.status, led.headers.get('location')]).toEqual([
        303,
        expect.stringMatching(/\/ui\/.*code=/),
      ]);
      expect(await at.directory.credentials(user.userId)).toEqual({ outcome: 'known', kinds: [] });
      await expectRefusal(await post(plain), 'identity_provider_unavailable');
      expect((await invitationRow(stage, plain)).accepted).toBe(false);
    });

    it('a provider that is away leaves the link as it is', async () => {
      const invited = await invite(stage, await provisioned(true));
      away = true;
      const post = () => stage.gateway.fetch(invited.path, { method: 'POST', headers: FORM, body: '' });
      await expectRefusal(await post(), 'identity_provider_unavailable');
      away = false;
      expect((await post()).status).toBe(303);
    });
  });
});
