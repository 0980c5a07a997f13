import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { groupUuid } from '../../shared/identity/tenant-groups.ts';
import { sql } from '../../shared/ports/database.ts';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import { expectStopped } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';
import { ACME, BETA, openTwoDoors, uuid, type TestTenant } from '../support/two-doors.ts';

const doors = await openTwoDoors();
afterAll(() => doors.close());

const RULES = [
  { path: '/me', method: '*', feature: 'authenticated' },
  { path: '/tenants/:tenant/*rest', method: '*', feature: 'authenticated', tenant: '{tenant}' },
  { path: '/mine', method: 'GET', feature: 'authenticated', tenant: 'required' },
];

const PROJECT = '77';

const send = (stage: Stage, authorization: string, path: string) =>
  stage.gateway.fetch(path, { headers: { authorization } });

const got = (stage: Stage, field: string) => stage.upstream.requests.at(-1)?.values(field);

const GROUPS = {
  acmeUsers: uuid(),
  acmeAdmins: uuid(),
  betaUsers: uuid(),
};

async function mapGroup(tenant: TestTenant, group: string, name: string, role: string): Promise<void> {
  await doors.execute(sql`insert into kanidm_tenant_groups (tenant_id, kanidm_group_uuid, kanidm_group_name, role)
    values (${tenant.id}, ${group}, ${name}, ${role})`);
}

beforeAll(async () => {
  await mapGroup(ACME, GROUPS.acmeUsers, 'tenant_acme_users', 'member');
  await mapGroup(ACME, GROUPS.acmeAdmins, 'tenant_acme_admins', 'admin');
  await mapGroup(BETA, GROUPS.betaUsers, 'tenant_beta_users', 'member');
});

/** Somebody of Kanidm without a row, in these groups. */
async function inGroups(groups: readonly string[]): Promise<string> {
  const sub = uuid();
  doors.kanidm.userinfo.set(sub, { groups: [...groups] });
  return doors.kanidmBearer(sub);
}

gatewaySuite(
  'tenants by groups and rows',
  {
    on: SOCKETS,
    rules: RULES,
    variables: () => ({ ...doors.variables(), ZITADEL_PROJECT_ID: PROJECT, ZITADEL_ORGANIZATION: '301' }),
  },
  (stage) => {
    it('groups map to tenants, by their uuid and never by a name', async () => {
      const member = await inGroups([GROUPS.acmeUsers, 'tenant_acme_users@idm.example.org']);
      for (const path of ['/me', '/mine', '/tenants/acme/x', `/tenants/${ACME.id}/x`]) {
        expect((await send(stage, member, path)).status).toBe(200);
        expect(got(stage, 'x-user-tenant')).toEqual([ACME.id]);
        expect(got(stage, 'x-user-role')).toEqual(['user']);
      }
      await expectStopped(send(stage, member, '/tenants/beta/x'), 'wrong_tenant', stage.upstream);
      const byName = await inGroups(['tenant_beta_users', 'tenant_beta_users@idm.example.org', BETA.id]);
      await expectStopped(send(stage, byName, '/tenants/beta/x'), 'no_tenant', stage.upstream);
    });

    it('several groups: the higher role of one tenant; of several tenants the one that the path names', async () => {
      const admin = await inGroups([GROUPS.acmeUsers, GROUPS.acmeAdmins]);
      expect((await send(stage, admin, '/mine')).status).toBe(200);
      expect(got(stage, 'x-user-role')).toEqual(['admin']);
      const both = await inGroups([GROUPS.betaUsers, GROUPS.acmeAdmins]);
      for (const [tenant, role] of [
        [ACME, 'admin'],
        [BETA, 'user'],
      ] as const) {
        expect((await send(stage, both, `/tenants/${tenant.slug}/x`)).status).toBe(200);
        expect(got(stage, 'x-user-tenant')).toEqual([tenant.id]);
        expect(got(stage, 'x-user-role')).toEqual([role]);
        const assertion = decodeJwt(got(stage, 'x-gateway-assertion')?.[0] ?? '');
        expect(assertion).toMatchObject({ tenant: tenant.id, role });
      }
      await expectStopped(send(stage, both, '/tenants/nobody/x'), 'wrong_tenant', stage.upstream);
      await expectStopped(send(stage, both, '/mine'), 'no_tenant', stage.upstream);
      expect((await send(stage, both, '/me')).status).toBe(200);
      expect(got(stage, 'x-user-tenant')).toEqual([]);
    });

    it('no tenant group: denied, where the rule needs a tenant and nowhere else', async () => {
      const nobody = await inGroups([uuid()]);
      await expectStopped(send(stage, nobody, '/mine'), 'no_tenant', stage.upstream);
      await expectStopped(send(stage, nobody, '/tenants/acme/x'), 'no_tenant', stage.upstream);
      expect((await send(stage, nobody, '/me')).status).toBe(200);
      const other = await stage.bearer({ sub: 'nobody-of-zitadel' });
      await expectStopped(send(stage, other, '/mine'), 'no_tenant', stage.upstream);
    });

    it('roles of the configured project at Zitadel are groups, by organisation and role together', async () => {
      const [organization, other] = ['301', '302'];
      const role = 'tenant_beta_users';
      await mapGroup(BETA, groupUuid(stage.issuer.url, organization, role), role, 'member');
      const holding = (grantedBy: string, project = PROJECT) =>
        stage.bearer({
          sub: `of-${grantedBy}-${project}`,
          [`urn:zitadel:iam:org:project:${project}:roles`]: { [role]: { [grantedBy]: 'x.example.org' } },
        });
      expect((await send(stage, await holding(organization), '/tenants/beta/x')).status).toBe(200);
      expect(got(stage, 'x-user-role')).toEqual(['user']);
      for (const bearer of [await holding(other), await holding(organization, '78')])
        await expectStopped(send(stage, bearer, '/tenants/beta/x'), 'no_tenant', stage.upstream);
    });

    it('an organisation at Zitadel that stands for a tenant is a group of its own', async () => {
      await mapGroup(ACME, groupUuid(stage.issuer.url, ACME.id), 'tenant_acme_users', 'member');
      const of = (organization: string) =>
        stage.bearer({ sub: `in-${organization}`, 'urn:zitadel:iam:user:resourceowner:id': organization });
      expect((await send(stage, await of(ACME.id), '/tenants/acme/x')).status).toBe(200);
      expect(got(stage, 'x-user-tenant')).toEqual([ACME.id]);
      await expectStopped(send(stage, await of(BETA.id), '/tenants/beta/x'), 'no_tenant', stage.upstream);
    });

    it('the row of a user decides over any group; inactive people and tenants have none', async () => {
      const rows = [
        await doors.user(BETA, { status: 'suspended' }),
        await doors.user(BETA, { status: 'inactive' }),
        await doors.user(BETA),
      ];
      const [, , deleted] = rows;
      await doors.execute(sql`update users set deleted_at = now() where user_id = ${deleted ?? ''}`);
      const gone = { id: uuid(), slug: `gone-${uuid()}` };
      await doors.execute(sql`insert into tenants (tenant_id, name, slug, status)
        values (${gone.id}, 'gone', ${gone.slug}, 'suspended')`);
      rows.push(await doors.user(gone));
      for (const user of rows) {
        const account = uuid();
        await doors.link(doors.kanidm.url, account, user);
        doors.kanidm.userinfo.set(account, { groups: [GROUPS.acmeAdmins] });
        const authorization = await doors.kanidmBearer(account);
        await expectStopped(send(stage, authorization, '/mine'), 'no_tenant', stage.upstream);
        expect((await send(stage, authorization, '/me')).status).toBe(200);
        expect(got(stage, 'x-user-id')).toEqual([user]);
        expect(got(stage, 'x-user-tenant')).toEqual([]);
      }
    });

    it('one call of userinfo for a token, and none for people with a row', async () => {
      const count = () => doors.kanidm.requests.filter((path) => path === '/userinfo').length;
      const before = count();
      const member = await inGroups([GROUPS.acmeUsers]);
      for (let n = 0; n < 5; n++) expect((await send(stage, member, '/mine')).status).toBe(200);
      expect(count()).toBe(before + 1);
      const [user, account] = [await doors.user(ACME), uuid()];
      await doors.link(doors.kanidm.url, account, user);
      expect((await send(stage, await doors.kanidmBearer(account), '/mine')).status).toBe(200);
      expect(count()).toBe(before + 1);
    });

    it('revoked Kanidm session: who asks after it is told 401, not in which tenant they were', async () => {
      await expectStopped(
        send(stage, await doors.kanidmBearer(uuid()), '/mine'),
        'invalid_token',
        stage.upstream,
      );
    });
  },
);

gatewaySuite(
  'tenants while those who know them are away',
  { on: SOCKETS, rules: RULES, variables: () => doors.variables() },
  (stage) => {
    it('the provider away: 503 where the rule needs the tenant, and no harm to other rules', async () => {
      const member = await inGroups([GROUPS.acmeUsers]);
      doors.kanidm.faults.set('/userinfo', 'status');
      try {
        await expectStopped(send(stage, member, '/mine'), 'identity_provider_unavailable', stage.upstream);
        expect((await send(stage, member, '/me')).status).toBe(200);
        expect(got(stage, 'x-user-tenant')).toEqual([]);
      } finally {
        doors.kanidm.faults.clear();
      }
    });

    it('the database away: 503 for a new token, never another tenant; session tokens name theirs', async () => {
      const user = await doors.user(ACME);
      await doors.link(stage.issuer.url, `away-${user}`, user);
      doors.cut();
      try {
        const authorization = await stage.bearer({ sub: `away-${user}` });
        for (const path of ['/mine', '/tenants/acme/x', '/tenants/beta/x', '/me'])
          await expectStopped(send(stage, authorization, path), 'database_unavailable', stage.upstream);
        const session = `Bearer ${await doors.session({ sub: user })}`;
        expect((await send(stage, session, '/tenants/acme/x')).status).toBe(200);
        await expectStopped(send(stage, session, '/tenants/beta/x'), 'wrong_tenant', stage.upstream);
      } finally {
        await doors.mend();
      }
    });
  },
);
