import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { groupUuid } from '../../shared/identity/tenant-groups.ts';
import { sql } from '../../shared/ports/database.ts';
import { expectRefusal } from '../support/refusal.ts';
import { auditOf, makeUser, userRow } from './people.ts';
import { provisioned } from './oauth/people.ts';
import {
  address,
  countOf,
  group,
  KANIDM,
  linkedTo,
  makeGroupedTenant,
  me,
  oauthSuite,
  PROJECT,
  signInAt,
} from './oauth/suite.ts';

oauthSuite('somebody new by the provider', {}, (stage) => {
  describe('NEW user: OAuth2 works', () => {
    it('under the account’s own id, in the tenant of the group, with its role', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      for (const [groups, role] of [
        [[tenant.users], 'user'],
        [[tenant.users, tenant.admins, randomUUID(), 'tenant_other_users@localhost'], 'admin'],
      ] as const) {
        const account = { sub: randomUUID(), email: address(), name: 'Alice', groups };
        const browser = stage.browser();
        const answer = await signInAt(browser, stage.kanidm, account, {
          ...KANIDM,
          return_to: '/reports?a=1',
        });
        expect([answer.status, answer.headers.get('location')]).toEqual([303, '/reports?a=1']);
        expect(answer.headers.get('cache-control')).toBe('no-store');
        expect([...browser.cookies.keys()].sort()).toEqual(['sallyport', 'sallyport_refresh']);
        expect(await me(browser)).toMatchObject({
          id: account.sub,
          tenant_id: tenant.tenantId,
          tenant: tenant.slug,
          email: account.email,
          role,
          auth_method: 'kanidm',
          session: { auth_method: 'kanidm' },
        });
        expect(await linkedTo(stage.database, stage.kanidm.url, account.sub)).toEqual([
          {
            user_id: account.sub,
            tenant_id: tenant.tenantId,
            email: account.email,
            role,
            auth_method: 'kanidm',
            password_hash: null,
            kanidm_user_id: account.sub,
            completed: expect.any(Date) as Date,
          },
        ]);
        expect((await auditOf(stage.database, account.sub)).map(({ what }) => what).sort()).toEqual([
          'linked',
          'signed_in',
        ]);
      }
    });

    it('under a new id where the account’s is a user’s already or no uuid, and the same again', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      const other = await makeUser(stage.database);
      for (const sub of [other.userId, `3${String(Date.now())}`]) {
        const account = { sub, email: address(), groups: [tenant.users] };
        const browser = stage.browser();
        await signInAt(browser, stage.kanidm, account, KANIDM);
        const { id } = await me(browser);
        expect(id).not.toBe(sub);
        expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab]/);
        const again = stage.browser();
        await signInAt(again, stage.kanidm, account, KANIDM);
        expect((await me(again)).id).toBe(id);
      }
      expect(await userRow(stage.database, other.userId)).toMatchObject({ auth_method: 'password' });
    });

    it('of a provider whose subjects are not ours, under a new id: its administrators could choose one that somebody has', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      await group(stage.database, tenant, groupUuid(stage.zitadel.url, tenant.tenantId), 'member');
      const sub = randomUUID();
      const [one, other] = [stage.browser(), stage.browser()];
      const owner = { 'urn:zitadel:iam:user:resourceowner:id': tenant.tenantId };
      await signInAt(one, stage.zitadel, { sub, email: address(), ...owner }, { provider: 'zitadel' });
      await signInAt(other, stage.kanidm, { sub, email: address(), groups: [tenant.users] }, KANIDM);
      expect((await me(one)).id).not.toBe(sub);
      expect((await me(other)).id).toBe(sub);
    });

    it('of Zitadel by its organisation and by roles of the project, from the ID token or else from userinfo', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      await group(stage.database, tenant, groupUuid(stage.zitadel.url, tenant.tenantId), 'member');
      await group(
        stage.database,
        tenant,
        groupUuid(stage.zitadel.url, '350000000000000001', `${tenant.slug}_admins`),
        'admin',
      );
      const roles = (owner: string, ...names: string[]) => ({
        'urn:zitadel:iam:user:resourceowner:id': owner,
        [`urn:zitadel:iam:org:project:${PROJECT}:roles`]: Object.fromEntries(
          names.map((name) => [name, { '350000000000000001': 'one.example.org' }]),
        ),
      });
      for (const bare of [false, true]) {
        for (const [claims, role] of [
          [roles(tenant.tenantId), 'user'],
          [roles('350000000000000001', `${tenant.slug}_admins`), 'admin'],
        ] as const) {
          stage.zitadel.idTokenIsBare = bare;
          const account = { sub: randomUUID(), email: address(), ...claims };
          const browser = stage.browser();
          const answer = await signInAt(browser, stage.zitadel, account, { provider: 'zitadel' });
          expect(answer.status).toBe(303);
          expect(await me(browser)).toMatchObject({ tenant: tenant.slug, role, email: account.email });
        }
      }
    });
  });

  describe('groups map to tenants', () => {
    it('no tenant group: denied', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      for (const groups of [[], [randomUUID()], [`tenant_${tenant.slug}_member`], undefined]) {
        const account = { sub: randomUUID(), email: address(), ...(groups && { groups }) };
        const browser = stage.browser();
        await expectRefusal(await signInAt(browser, stage.kanidm, account, KANIDM), 'no_tenant');
        expect(browser.cookies.size).toBe(0);
        expect(await countOf(stage.database, sql`users where email = ${account.email}`)).toBe(0);
        expect(
          await countOf(
            stage.database,
            sql`sallyport_audit where what = 'sign_in_refused' and detail ->> 'account' = ${account.sub}`,
          ),
        ).toBe(1);
      }
    });

    it('several groups: one tenant has to be named, by slug or id, at the start', async () => {
      const [one, other, third] = await Promise.all([1, 2, 3].map(() => makeGroupedTenant(stage.database)));
      const account = { sub: randomUUID(), email: address(), groups: [one!.users, other!.admins] };
      const refused = async (query: Readonly<Record<string, string>>) => {
        const answer = await signInAt(stage.browser(), stage.kanidm, account, { ...KANIDM, ...query });
        expect(answer.status).toBe(403);
        expect(await answer.json()).toMatchObject({ code: 'tenant_required', status: 403 });
      };
      await refused({});
      await refused({ tenant: third!.slug });
      const browser = stage.browser();
      await signInAt(browser, stage.kanidm, account, { ...KANIDM, tenant: other!.slug });
      expect(await me(browser)).toMatchObject({ tenant: other!.slug, role: 'admin' });
      const byId = { sub: randomUUID(), email: address(), groups: [one!.users, other!.admins] };
      await signInAt(browser, stage.kanidm, byId, { ...KANIDM, tenant: one!.tenantId });
      expect(await me(browser)).toMatchObject({ tenant: one!.slug, role: 'user' });
    });

    it('a look-alike name of another tenant’s group gives nothing: the tenant is the database’s', async () => {
      const [one, other] = await Promise.all([1, 2].map(() => makeGroupedTenant(stage.database)));
      const account = {
        sub: randomUUID(),
        email: address(),
        groups: [one!.users, `tenant_${other!.slug}_admins@localhost`, `tenant_${other!.slug}_admins`],
        tenant: [other!.slug],
        tenant_id: other!.tenantId,
      };
      const browser = stage.browser();
      await signInAt(browser, stage.kanidm, account, { ...KANIDM, tenant: other!.slug });
      expect(await me(browser)).toMatchObject({ tenant: one!.slug, role: 'user' });
    });

    it('a suspended tenant takes nobody, and does not count beside an active one', async () => {
      const [active, suspended] = [
        await makeGroupedTenant(stage.database),
        await makeGroupedTenant(stage.database, 'suspended'),
      ];
      const account = (groups: string[]) => ({ sub: randomUUID(), email: address(), groups });
      await expectRefusal(
        await signInAt(stage.browser(), stage.kanidm, account([suspended.users]), KANIDM),
        'account_inactive',
      );
      await expectRefusal(
        await signInAt(stage.browser(), stage.kanidm, account([suspended.users, active.users]), {
          ...KANIDM,
          tenant: suspended.slug,
        }),
        'account_inactive',
      );
      const browser = stage.browser();
      await signInAt(browser, stage.kanidm, account([suspended.users, active.users]), KANIDM);
      expect(await me(browser)).toMatchObject({ tenant: active.slug });
    });
  });
});

for (const newUsers of ['closed', 'password'])
  oauthSuite(`NEW_USERS=${newUsers}`, { NEW_USERS: newUsers }, (stage) => {
    it('takes nobody new by the provider, and those who are known', async () => {
      const tenant = await makeGroupedTenant(stage.database);
      const account = { sub: randomUUID(), email: address(), groups: [tenant.users] };
      await expectRefusal(
        await signInAt(stage.browser(), stage.kanidm, account, KANIDM),
        'registration_closed',
      );
      expect(await countOf(stage.database, sql`users where email = ${account.email}`)).toBe(0);
      const user = await provisioned(stage);
      expect((await signInAt(stage.browser(), stage.kanidm, { sub: user.userId }, KANIDM)).status).toBe(303);
    });
  });
