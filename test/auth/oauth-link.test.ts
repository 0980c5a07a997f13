import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import { sql } from '../../shared/ports/database.ts';
import { DATABASES } from '../support/databases.ts';
import { expectRefusal } from '../support/refusal.ts';
import { auditOf, makeUser, PASSWORD, userRow, type MadeUser } from './people.ts';
import { provisioned } from './oauth/people.ts';
import {
  address,
  countOf,
  KANIDM,
  leave,
  linkedTo,
  makeGroupedTenant,
  me,
  oauthSuite,
  signInAt,
} from './oauth/suite.ts';
import { signIn } from './suite.ts';

const [, POSTGRES] = DATABASES;

oauthSuite('whose account it is', {}, (stage) => {
  describe('nobody is linked to somebody else’s account', () => {
    it('the address of a user, verified or not, in any case, with another subject: no link, no session, audited', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      const user = await makeUser(stage.database, { email: `Bob.${randomUUID().slice(0, 8)}@example.org` });
      for (const email of [user.email, user.email.toLowerCase()])
        for (const verified of [true, false]) {
          const account = { sub: randomUUID(), email, email_verified: verified, groups: [tenant.users] };
          const browser = stage.browser();
          await expectRefusal(await signInAt(browser, stage.kanidm, account, KANIDM), 'account_not_linked');
          expect(browser.cookies.size).toBe(0);
          expect(await linkedTo(stage.database, stage.kanidm.url, account.sub)).toEqual([]);
          expect(
            await countOf(
              stage.database,
              sql`sallyport_audit where what = 'link_refused' and detail ->> 'account' = ${account.sub}`,
            ),
          ).toBe(1);
        }
      expect(await countOf(stage.database, sql`sessions where user_id = ${user.userId}`)).toBe(0);
      expect((await signIn(stage, user)).user.id).toBe(user.userId);
    });

    it('nor where the address stands in userinfo alone', async () => {
      const user = await makeUser(stage.database);
      stage.zitadel.idTokenIsBare = true;
      const account = { sub: randomUUID(), email: user.email };
      const answer = await signInAt(stage.browser(), stage.zitadel, account, { provider: 'zitadel' });
      await expectRefusal(answer, 'account_not_linked');
      expect(await linkedTo(stage.database, stage.zitadel.url, account.sub)).toEqual([]);
    });

    it('an address that only looks alike is another one', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      const tail = `${randomUUID().slice(0, 8)}@example.org`;
      const user = await makeUser(stage.database, { email: `mike${tail}` });
      const account = { sub: randomUUID(), email: `mıke${tail}`, groups: [tenant.users] };
      const browser = stage.browser();
      await signInAt(browser, stage.kanidm, account, KANIDM);
      expect((await me(browser)).id).toBe(account.sub);
      expect(await userRow(stage.database, user.userId)).toMatchObject({ auth_method: 'password' });
    });

    it('the same subject under another issuer is somebody else', async () => {
      const user = await provisioned(stage);
      const account = { sub: user.userId, email: address() };
      await expectRefusal(
        await signInAt(stage.browser(), stage.zitadel, account, { provider: 'zitadel' }),
        'no_tenant',
      );
    });

    it('a registration that waits for the owner of the address ends when the owner comes by the provider', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      const account = { sub: randomUUID(), email: address(), groups: [tenant.users] };
      await stage.database.execute(
        sql`insert into sallyport_registrations (token_hash, tenant_id, email, full_name, password_hash, expires_at)
            values (${Buffer.from(randomUUID())}, ${tenant.tenantId}, ${account.email.toUpperCase()}, 'x', 'x', now() + interval '1 day')`,
      );
      await signInAt(stage.browser(), stage.kanidm, account, KANIDM);
      expect(
        await countOf(stage.database, sql`sallyport_registrations where tenant_id = ${tenant.tenantId}`),
      ).toBe(0);
    });
  });

  describe('switch from password to OAuth2', () => {
    const signedIn = async (user: MadeUser) => {
      const browser = stage.browser();
      const body = { tenant: user.slug, email: user.email, password: PASSWORD, cookie: true };
      const answer = await browser.post('/api/v1/auth/login', body);
      expect(answer.status).toBe(200);
      return browser;
    };

    it('by a link from a session begun by password: both doors proven, audited, that session replaced', async () => {
      const user = await makeUser(stage.database);
      const sub = randomUUID();
      const browser = await signedIn(user);
      const before = await me(browser);
      const answer = await signInAt(
        browser,
        stage.kanidm,
        { sub, email: user.email },
        { ...KANIDM, link: '1' },
      );
      expect(answer.status).toBe(303);
      const after = await me(browser);
      expect(after).toMatchObject({
        id: user.userId,
        auth_method: 'dual',
        session: { auth_method: 'kanidm' },
      });
      expect(after.session.id).not.toBe(before.session.id);
      expect(await linkedTo(stage.database, stage.kanidm.url, sub)).toMatchObject([
        { user_id: user.userId, kanidm_user_id: sub },
      ]);
      expect((await auditOf(stage.database, user.userId)).map(({ what }) => what)).toContain('linked');
      const later = stage.browser();
      await signInAt(later, stage.kanidm, { sub }, KANIDM);
      expect((await me(later)).id).toBe(user.userId);
      expect((await signIn(stage, user)).user.id).toBe(user.userId);
    });

    it('an account of another user, or a second one at the same provider: 409, nothing changes', async () => {
      const [one, other] = [await makeUser(stage.database), await provisioned(stage)];
      const browser = await signedIn(one);
      const query = { ...KANIDM, link: '1' };
      await expectRefusal(
        await signInAt(browser, stage.kanidm, { sub: other.userId }, query),
        'account_not_linked',
      );
      expect((await me(browser)).id).toBe(one.userId);
      const second = await signedIn(other);
      const sub = randomUUID();
      await expectRefusal(await signInAt(second, stage.kanidm, { sub }, query), 'account_not_linked');
      expect(await linkedTo(stage.database, stage.kanidm.url, sub)).toEqual([]);
      const adopted = await signedIn(
        await makeUser(stage.database, { kanidmUserId: randomUUID(), authMethod: 'dual' }),
      );
      await expectRefusal(await signInAt(adopted, stage.kanidm, { sub }, query), 'account_not_linked');
    });

    it.skipIf(POSTGRES.missing)(
      'two accounts of one provider at the same moment: one of them; the session to link from is over for the other',
      async () => {
        const user = await makeUser(stage.database);
        const browser = await signedIn(user);
        const subs = [randomUUID(), randomUUID()];
        const targets: string[] = [];
        for (const sub of subs)
          targets.push(stage.kanidm.approve(await leave(browser, { ...KANIDM, link: '1' }), { sub }));
        const session = await openPgSession(stage.alike['DATABASE_URL']!);
        await session.script(`begin; select from users where user_id = '${user.userId}' for update`);
        const answers = Promise.all(targets.map((target) => browser.get(target)));
        while (
          (await countOf(
            stage.database,
            sql`pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
          )) < subs.length
        );
        await session.script('commit');
        await session.close();
        expect((await answers).map(({ status }) => status).toSorted()).toEqual([303, 400]);
        const links = await Promise.all(subs.map((sub) => linkedTo(stage.database, stage.kanidm.url, sub)));
        expect(links.flat()).toHaveLength(1);
      },
    );

    it('not without a session, not from one of the provider, not from another site, not when it ended meanwhile', async () => {
      const target = '/api/v1/auth/oauth/authorize?provider=kanidm&link=1';
      await expectRefusal(await stage.browser().get(target), 'missing_token');
      const user = await makeUser(stage.database);
      const browser = await signedIn(user);
      for (const site of ['cross-site', 'same-site'])
        await expectRefusal(await browser.get(target, { 'sec-fetch-site': site }), 'cross_site');
      const location = await leave(browser, { ...KANIDM, link: '1' });
      const back = stage.kanidm.approve(location, { sub: randomUUID() });
      await stage.database.execute(
        sql`update sessions set revoked = true, revoked_at = now() where user_id = ${user.userId}`,
      );
      await expectRefusal(await browser.get(back), 'invalid_callback');
      const moved = await provisioned(stage);
      const byProvider = stage.browser();
      await signInAt(byProvider, stage.kanidm, { sub: moved.userId }, KANIDM);
      await expectRefusal(await byProvider.get(target), 'forbidden');
    });
  });
});
