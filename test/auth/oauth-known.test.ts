import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { expectRefusal } from '../support/refusal.ts';
import { auditOf, makeUser, PASSWORD, userRow } from './people.ts';
import { link, provisioned } from './oauth/people.ts';
import {
  address,
  countOf,
  KANIDM,
  linkedTo,
  makeGroupedTenant,
  me,
  oauthSuite,
  signInAt,
} from './oauth/suite.ts';
import { bearer, signIn } from './suite.ts';

oauthSuite('a known user by the provider', {}, (stage) => {
  describe('MIGRATED user: both', () => {
    it('dual stays dual, the move is completed once, and the password goes on working', async () => {
      const user = await provisioned(stage);
      const account = { sub: user.userId, email: user.email };
      const browser = stage.browser();
      await signInAt(browser, stage.kanidm, account, KANIDM);
      expect(await me(browser)).toMatchObject({ id: user.userId, auth_method: 'dual', role: 'user' });
      const [first] = await linkedTo(stage.database, stage.kanidm.url, user.userId);
      expect(first).toMatchObject({ auth_method: 'dual', completed: expect.any(Date) as Date });
      const signedIn = await signIn(stage, user);
      expect(signedIn.user.id).toBe(user.userId);
      await signInAt(stage.browser(), stage.kanidm, account, KANIDM);
      expect((await linkedTo(stage.database, stage.kanidm.url, user.userId))[0]?.completed).toEqual(
        first?.completed,
      );
    });

    it('a row of the adopted database is Kanidm’s by its kanidm_user_id, and by Kanidm alone', async () => {
      const sub = randomUUID();
      const user = await makeUser(stage.database, { kanidmUserId: sub });
      const other = { sub, email: address(), 'urn:zitadel:iam:user:resourceowner:id': 'x' };
      stage.zitadel.idTokenIsBare = false;
      await expectRefusal(
        await signInAt(stage.browser(), stage.zitadel, other, { provider: 'zitadel' }),
        'no_tenant',
      );
      const browser = stage.browser();
      await signInAt(browser, stage.kanidm, { sub, email: address() }, KANIDM);
      expect(await me(browser)).toMatchObject({ id: user.userId, auth_method: 'dual' });
    });

    it('a password user with a link becomes dual; one without a hash becomes the provider’s alone', async () => {
      for (const [hash, authMethod] of [
        [undefined, 'dual'],
        [null, 'kanidm'],
      ] as const) {
        const user = await makeUser(stage.database, {
          ...(hash === null && { hash }),
          authMethod: 'password',
        });
        const sub = randomUUID();
        await link(stage.database, user, sub, stage.kanidm.url);
        const browser = stage.browser();
        await signInAt(browser, stage.kanidm, { sub }, KANIDM);
        expect(await me(browser)).toMatchObject({ id: user.userId, auth_method: authMethod });
      }
    });

    it('sessions begun by password and resets of the password end, those of the provider stay', async () => {
      const user = await provisioned(stage);
      const earlier = stage.browser();
      await signInAt(earlier, stage.kanidm, { sub: user.userId }, KANIDM);
      const byPassword = await signIn(stage, user);
      await stage.database.execute(
        sql`insert into sallyport_resets (token_hash, user_id, expires_at)
            values (${Buffer.from(randomUUID())}, ${user.userId}, now() + interval '30 minutes')`,
      );
      await signInAt(stage.browser(), stage.kanidm, { sub: user.userId }, KANIDM);
      await expectRefusal(await stage.get('me', bearer(byPassword.access_token)), 'invalid_token');
      await expectRefusal(
        await stage.post('refresh', { refresh_token: byPassword.refresh_token }),
        'invalid_refresh',
      );
      expect(await countOf(stage.database, sql`sallyport_resets where user_id = ${user.userId}`)).toBe(0);
      expect((await me(earlier)).id).toBe(user.userId);
    });

    it('a locked account is not locked out of the provider', async () => {
      const user = await provisioned(stage);
      for (let i = 0; i < 6; i += 1)
        await stage.post('login', { tenant: user.slug, email: user.email, password: 'not the password' });
      expect((await userRow(stage.database, user.userId)).locked_until).not.toBeNull();
      const browser = stage.browser();
      expect((await signInAt(browser, stage.kanidm, { sub: user.userId }, KANIDM)).status).toBe(303);
    });

    it('who is inactive, suspended or deleted, or of such a tenant, does not get in', async () => {
      const rows = await Promise.all([
        provisioned(stage, { status: 'inactive' }),
        provisioned(stage, { status: 'suspended' }),
        provisioned(stage, { deleted: true }),
        provisioned(stage, { tenant: await makeGroupedTenant(stage.database, 'suspended') }),
      ]);
      for (const { userId } of rows) {
        const browser = stage.browser();
        await expectRefusal(
          await signInAt(browser, stage.kanidm, { sub: userId }, KANIDM),
          'account_inactive',
        );
        expect(browser.cookies.size).toBe(0);
        expect(await auditOf(stage.database, userId)).toMatchObject([{ what: 'sign_in_refused' }]);
        expect(await countOf(stage.database, sql`sessions where user_id = ${userId}`)).toBe(0);
      }
    });

    it('Kanidm down: password', async () => {
      const user = await provisioned(stage);
      stage.kanidm.issuer.faults.set('/token', 'status');
      const browser = stage.browser();
      await expectRefusal(
        await signInAt(browser, stage.kanidm, { sub: user.userId }, KANIDM),
        'identity_provider_unavailable',
      );
      expect((await signIn(stage, user)).user.id).toBe(user.userId);
      const alone = await provisioned(stage, { authMethod: 'kanidm' });
      await expectRefusal(
        await stage.post('login', { tenant: alone.slug, email: alone.email, password: PASSWORD }),
        'invalid_credentials',
      );
    });
  });
});
