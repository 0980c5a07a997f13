/** Long because one stand-in serves all that becomes of a link. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Kanidm } from '../../dev/kanidm/index.ts';
import { sql } from '../../shared/ports/database.ts';
import { mailsOf } from '../auth/mails.ts';
import { openBrowser } from '../auth/oauth/browser.ts';
import { CLIENT, SIGN_IN, startWithKanidm, type AtKanidm, type WithKanidm } from '../auth/oauth/kanidm.ts';
import { link } from '../auth/oauth/people.ts';
import { group, leave, me } from '../auth/oauth/suite.ts';
import { auditOf, makeTenant, makeUser, type MadeUser } from '../auth/people.ts';
import { authSuite, bearer, signIn } from '../auth/suite.ts';
import { serve, type Served } from '../support/serve.ts';
import { chromiumMissing, LOOKS, openPage, startChromium } from '../services/chromium.ts';
import { expectRefusal } from '../support/refusal.ts';
import { FORM, invitationRow, invite, INVITES, makeWave } from './door.ts';

const WATCHDOG = 120_000;

describe('an invitation, with a stand-in that answers as Kanidm was recorded to', () => {
  let kanidm: Kanidm;
  let there: AtKanidm;
  let front: Served;
  /** The provider is away. */
  let away = false;
  let intents = 0;
  let own: WithKanidm['variables'];
  beforeAll(async () => {
    ({ kanidm, there, variables: own } = await startWithKanidm());
    front = await serve(0, async (request) => {
      if (away) return new Response('', { status: 503 });
      const { pathname, search } = new URL(request.url);
      if (pathname.includes('_update_intent')) intents += 1;
      const { method, headers } = request;
      const body = method === 'GET' ? null : await request.text();
      return fetch(kanidm.url + pathname + search, { method, headers, body, redirect: 'manual' });
    });
  });
  afterAll(async () => {
    await front.close();
    await kanidm.close();
  });
  const variables = () => ({
    ...own,
    KANIDM_URL: front.url,
    KANIDM_TOKEN: kanidm.token,
    ...INVITES,
  });
  authSuite('pages', { variables }, (stage) => {
    const open = () => openBrowser((target, sent) => stage.gateway.fetch(target, sent));
    /** A user with an account at Kanidm, in the tenant's group. */
    const person = async (): Promise<MadeUser & { readonly name: string }> => {
      const user = await makeUser(stage.database, {
        authMethod: 'dual',
        tenant: await makeTenant(stage.database),
      });
      const name = `p${randomUUID().slice(0, 8)}`;
      await there.person({ name, uuid: user.userId, mail: user.email });
      await there.join(SIGN_IN, name);
      const groupId = await there.group(`tenant_${user.slug}_users`, [name]);
      await group(stage.database, user, groupId, 'member');
      await link(stage.database, user, user.userId, kanidm.issuer(CLIENT));
      return { ...user, name };
    };
    const post = (path: string, body = '', headers: Record<string, string> = FORM) =>
      stage.gateway.fetch(path, { method: 'POST', headers, body });
    const execute = (statement: ReturnType<typeof sql>) => stage.database.execute(statement);

    it('GET names product, person, deadline and what happens next, and spends nothing', async () => {
      const user = await person();
      const wave = await makeWave(stage, { deadline: new Date('2031-05-01T23:59:59.999Z') });
      const invited = await invite(stage, user, { wave });
      const before = intents;
      for (let time = 0; time < 3; time += 1) {
        const answer = await stage.gateway.fetch(invited.path);
        const text = await answer.text();
        expect(answer.status).toBe(200);
        expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
        expect(answer.headers.get('cache-control')).toBe('no-store');
        const policy = answer.headers.get('content-security-policy') ?? '';
        expect(policy).toContain("default-src 'none'");
        expect(policy).toContain(`form-action 'self' ${kanidm.url}`);
        for (const named of ['Product &amp; Co', 'A Person', 'Kanidm', 'May 1, 2031', 'support@example.org'])
          expect(text).toContain(named);
        expect(text).not.toMatch(/<script|<link|<img|src=/);
      }
      expect(intents).toBe(before);
      expect(await invitationRow(stage, invited)).toMatchObject({ seen: true, accepted: false });
    });

    it('HEAD and what is fetched ahead never count as seen', async () => {
      const invited = await invite(stage, await person());
      const head = await stage.gateway.fetch(invited.path, { method: 'HEAD' });
      expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
      for (const purpose of ['prefetch', 'prefetch;prerender', 'prefetch;anonymous-client-ip'])
        expect(
          (await stage.gateway.fetch(invited.path, { headers: { 'sec-purpose': purpose } })).status,
        ).toBe(200);
      await stage.gateway.fetch(invited.path, { headers: { purpose: 'prefetch' } });
      expect((await invitationRow(stage, invited)).seen).toBe(false);
      await stage.gateway.fetch(invited.path);
      expect((await invitationRow(stage, invited)).seen).toBe(true);
    });

    it(
      'of 50 POSTs at once exactly one has success, and one intent is made',
      { timeout: WATCHDOG },
      async () => {
        const user = await person();
        const invited = await invite(stage, user);
        const before = intents;
        const answers = await Promise.all(Array.from({ length: 50 }, () => post(invited.path)));
        expect(answers.map(({ status }) => status).toSorted()).toEqual([
          303,
          ...Array.from({ length: 49 }, () => 409),
        ]);
        const led = answers.find(({ status }) => status === 303)!;
        expect(led.headers.get('location')).toMatch(new RegExp(`^${kanidm.url}/ui/reset\\?token=`));
        expect(led.headers.get('referrer-policy')).toBe('no-referrer');
        expect(intents).toBe(before + 1);
        expect(await invitationRow(stage, invited)).toMatchObject({ accepted: true, completed: false });
        expect(await auditOf(stage.database, user.userId)).toMatchObject([{ what: 'invitation_accepted' }]);
      },
    );

    it('the same browser gets the same intent once more; another one is shown how to go on', async () => {
      const user = await person();
      const invited = await invite(stage, user);
      const browser = open();
      const [first, second] = [
        await browser.post(invited.path, '', FORM),
        await browser.post(invited.path, '', FORM),
      ];
      const location = first.headers.get('location');
      expect([first.status, second.status, second.headers.get('location')]).toEqual([303, 303, location]);
      expect([...browser.cookies.keys()].every((name) => name.startsWith('sallyport_invite_'))).toBe(true);
      expect([...browser.cookies.values()].join()).not.toContain(
        new URL(location!).searchParams.get('token'),
      );
      expect(await (await browser.get(invited.path)).text()).toContain('once more');
      const elsewhere = await (await stage.gateway.fetch(invited.path)).text();
      expect(elsewhere).not.toContain('once more');
      expect(elsewhere).toContain('Continue to sign in');
      expect((await post(invited.path)).status).toBe(409);
    });

    // In process the gateway listens nowhere.
    it.skipIf(chromiumMissing || stage.runtime === 'in process')(
      'in a browser the form leads to the provider, and the page loads nothing from elsewhere',
      { timeout: WATCHDOG },
      async () => {
        const invited = await invite(stage, await person());
        const browser = await startChromium();
        const { page, complaints, overflow } = await openPage(browser, stage.gateway.url, LOOKS[1]!);
        await page.goto(stage.gateway.url + invited.path);
        expect([complaints, await overflow()]).toEqual([[], 0]);
        await page.keyboard.press('Tab');
        await page.keyboard.press('Enter');
        await page.waitForURL(new RegExp(`^${kanidm.url}/ui/reset`));
        await page.goto(stage.gateway.url + invited.path);
        await page.getByRole('link', { name: 'Continue to sign in' }).waitFor();
        await page.getByRole('button', { name: 'once more' }).click();
        await page.waitForURL(new RegExp(`^${kanidm.url}/ui/reset`));
        await browser.close();
      },
    );

    it('a cookie of one link opens nothing by another', async () => {
      const [one, other] = [await invite(stage, await person()), await invite(stage, await person())];
      const browser = open();
      await browser.post(one.path, '', FORM);
      await stage.gateway.fetch(other.path);
      await post(other.path);
      const [[name, value] = ['', '']] = [...browser.cookies];
      const forged = `${name.slice(0, -12)}${Buffer.from(name).toString('base64url').slice(0, 12)}=${value}`;
      const answer = await post(other.path, '', { ...FORM, cookie: `${name}=${value}; ${forged}` });
      expect(answer.status).toBe(409);
    });

    it('a provider that is away leaves the link as it is', async () => {
      const invited = await invite(stage, await person());
      away = true;
      await expectRefusal(await post(invited.path), 'identity_provider_unavailable');
      expect((await invitationRow(stage, invited)).accepted).toBe(false);
      away = false;
      expect((await post(invited.path)).status).toBe(303);
    });

    it('a request that dies with a link in hand holds it for a minute at most', async () => {
      const invited = await invite(stage, await person());
      const claimed = (until: string) =>
        execute(sql`update sallyport_invitation_steps set claimed_by = gen_random_uuid(), claimed_until = now() + ${until}::interval
          where invitation_id = ${invited.invitation}`);
      await claimed('1 minute');
      expect((await post(invited.path)).status).toBe(409);
      await claimed('0 seconds');
      expect((await post(invited.path)).status).toBe(303);
    });

    it('after completion by the callback the link is dead, the survey opens, and what was begun by password is over', async () => {
      const user = await person();
      const invited = await invite(stage, user);
      const legacy = await signIn(stage, user);
      expect(legacy.migration).toMatchObject({ deadline: null });
      await execute(
        sql`insert into sallyport_resets (token_hash, user_id, expires_at) values (${randomUUID()}::bytea, ${user.userId}, now() + interval '1 hour')`,
      );
      const browser = open();
      await browser.post(invited.path, '', FORM);
      const page = await (await browser.get(invited.path)).text();
      const href = /class="button" href="([^"]+)"/.exec(page)?.[1]?.replaceAll('&amp;', '&') ?? '';
      const start = new URL(href);
      expect(start.searchParams.get('login_hint')).toBe(user.email.replace('@', '_'));
      const away = await browser.get(start.pathname + start.search);
      const back = await there.approve(away.headers.get('location')!, user.name);
      const done = await browser.get(back);
      expect([done.status, done.headers.get('location')]).toEqual([303, `${invited.path}/survey`]);
      expect((await me(browser)).id).toBe(user.userId);
      expect(await invitationRow(stage, invited)).toMatchObject({ completed: true, end: 'completed' });
      await expectRefusal(await stage.get('me', bearer(legacy.access_token)), 'invalid_token');
      expect(await execute(sql`delete from sallyport_resets where user_id = ${user.userId}`)).toBe(0);
      expect((await stage.gateway.fetch(invited.path)).status).toBe(404);
      expect(await (await browser.get(`${invited.path}/survey`)).text()).toContain('You are all set');
    });

    it('an invitation completed by an account of somebody else is refused, and completes nothing', async () => {
      const [user, other] = [await person(), await person()];
      const invited = await invite(stage, user);
      const stranger = `p${randomUUID().slice(0, 8)}`;
      await there.person({ name: stranger, mail: `${stranger}@example.org` });
      await there.join(SIGN_IN, stranger);
      await there.join(`tenant_${user.slug}_users`, stranger);
      for (const name of [other.name, stranger]) {
        const browser = open();
        const location = await leave(browser, { provider: 'kanidm', invited: user.userId });
        await expectRefusal(await browser.get(await there.approve(location, name)), 'account_not_linked');
      }
      expect((await invitationRow(stage, invited)).completed).toBe(false);
      expect(await execute(sql`delete from users where email like ${`${stranger}%`}`)).toBe(0);
    });

    it(
      'a dead link shows one page, whatever the reason, and the new link goes to the stored address alone',
      { timeout: WATCHDOG },
      async () => {
        const emails: Record<string, string> = {};
        const dead: Record<string, string> = {
          unknown: `/invites/${'A'.repeat(43)}`,
          malformed: '/invites/x',
        };
        const kill = async (reason: string, how: (user: MadeUser, id: string) => ReturnType<typeof sql>) => {
          const user = await person();
          const invited = await invite(stage, user);
          await execute(how(user, invited.invitation));
          dead[reason] = invited.path;
          emails[reason] = user.email;
          return { user, invited };
        };
        await kill(
          'expired',
          (_user, id) =>
            sql`update sallyport_invitation_steps set expires_at = now() where invitation_id = ${id}`,
        );
        await kill(
          'superseded',
          (_user, id) =>
            sql`update sallyport_invitation_steps set superseded_at = now() where invitation_id = ${id}`,
        );
        await kill(
          'deleted',
          ({ userId }) => sql`update users set deleted_at = now() where user_id = ${userId}`,
        );
        await kill('gone', ({ userId }) => sql`delete from users where user_id = ${userId}`);
        await kill(
          'suspended',
          ({ userId }) => sql`update users set status = 'suspended' where user_id = ${userId}`,
        );
        await kill(
          'tenant',
          ({ tenantId }) => sql`update tenants set status = 'suspended' where tenant_id = ${tenantId}`,
        );
        await kill(
          'completed',
          ({ userId }) => sql`update users set migration_completed_at = now() where user_id = ${userId}`,
        );
        await kill(
          'ended',
          (_user, id) =>
            sql`update sallyport_invitations set ended_at = now(), end_reason = 'cancelled' where invitation_id = ${id}`,
        );
        await kill(
          'excluded',
          ({ userId }) => sql`insert into sallyport_people (user_id, excluded_at) values (${userId}, now())`,
        );
        const fresh = `new-${randomUUID().slice(0, 8)}@example.org`;
        const moved = await kill(
          'other mail',
          ({ userId }) => sql`update users set email = ${fresh} where user_id = ${userId}`,
        );
        const bodies = new Set<string>();
        for (const [reason, path] of Object.entries(dead)) {
          for (const answer of [await stage.gateway.fetch(path), await post(path)]) {
            expect([reason, answer.status]).toEqual([reason, 404]);
            bodies.add(await answer.text());
          }
          expect((await stage.gateway.fetch(path, { method: 'HEAD' })).status).toBe(404);
        }
        expect(bodies.size).toBe(1);
        const asked = new Set<string>();
        for (const path of Object.values(dead)) {
          const answer = await post(path, 'renew=1');
          expect(answer.status).toBe(202);
          asked.add(await answer.text());
        }
        expect(asked.size).toBe(1);
        // What is mailed is put into the outbox beside the answer.
        await expect.poll(() => mailsOf(stage, fresh), { timeout: WATCHDOG }).toHaveLength(1);
        const [mail] = await mailsOf(stage, fresh);
        const renewed = new URL(mail!.values['link']!).pathname;
        stage.secrets.push(renewed.slice('/invites/'.length));
        expect((await stage.gateway.fetch(renewed)).status).toBe(200);
        expect(await mailsOf(stage, moved.user.email)).toEqual([]);
        await post(renewed, 'renew=1');
        await post(renewed, 'renew=1');
        expect(await mailsOf(stage, fresh)).toHaveLength(1);
        // The others have nothing to do, or are nobody.
        for (const [reason, email] of Object.entries(emails)) {
          const mails = ['expired', 'superseded', 'ended'].includes(reason) ? 1 : 0;
          await expect.poll(() => mailsOf(stage, email), { timeout: WATCHDOG }).toHaveLength(mails);
        }
      },
    );

    it('a form of another site is refused, by Sec-Fetch-Site where there is one', async () => {
      const invited = await invite(stage, await person());
      const fields: Record<string, string>[] = [
        { origin: 'null', 'sec-fetch-site': 'cross-site' },
        { origin: 'null', 'sec-fetch-site': 'same-site' },
        { origin: 'null', 'sec-fetch-site': 'none' },
        { origin: 'null' },
        { origin: 'https://evil.example.org' },
      ];
      for (const each of fields) await expectRefusal(await post(invited.path, '', each), 'cross_site');
      for (const each of fields) await expectRefusal(await post(invited.path, 'renew=1', each), 'cross_site');
      expect((await invitationRow(stage, invited)).accepted).toBe(false);
      expect((await post(invited.path, '', {})).status).toBe(303);
    });

    it('a refusal in a browser is a page, and neither it nor the log names the token', async () => {
      const invited = await invite(stage, await person());
      away = true;
      const answer = await post(invited.path, '', { ...FORM, accept: 'text/html' });
      away = false;
      expect([answer.status, answer.headers.get('content-type')]).toEqual([503, 'text/html; charset=utf-8']);
      expect(await answer.text()).not.toContain(invited.token);
      const plain = `/invites/${'abcdefgh_'.repeat(5).slice(0, 43)}`;
      await expectRefusal(await stage.gateway.fetch(plain, { method: 'DELETE' }), 'method_not_allowed');
      stage.secrets.push(plain.slice('/invites/'.length));
    });
  });
});
