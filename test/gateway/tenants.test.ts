import { decodeJwt } from 'jose';
import { afterAll, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import { expectStopped } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';
import { ACME, BETA, openTwoDoors, uuid } from '../support/two-doors.ts';

const doors = await openTwoDoors();
afterAll(() => doors.close());

const RULES = [
  { path: '/me', method: '*', feature: 'authenticated' },
  { path: '/tenants/:tenant/*rest', method: '*', feature: 'authenticated', tenant: '{tenant}' },
  { path: '/reports/:tenant', method: 'GET', tenant: '{tenant}' },
  { path: '/mine', method: 'GET', feature: 'authenticated', tenant: 'required' },
  { path: '/trial/:tenant', method: 'GET', tenant: '{tenant}', mode: 'shadow' },
];

const send = (stage: Stage, authorization: string, path: string) =>
  stage.gateway.fetch(path, { headers: { authorization } });

const got = (stage: Stage, field: string) => stage.upstream.requests.at(-1)?.values(field);

gatewaySuite(
  'tenants of callers and of paths',
  { on: SOCKETS, rules: RULES, variables: () => doors.variables() },
  (stage) => {
    it('tenant A cannot reach tenant B, through either door', async () => {
      const user = await doors.user(ACME);
      await doors.link(stage.issuer.url, `zitadel-${user}`, user);
      const asEither = [
        `Bearer ${await doors.session({ sub: user })}`,
        await stage.bearer({ sub: `zitadel-${user}` }),
      ];
      for (const authorization of asEither) {
        for (const own of [ACME.slug, ACME.id])
          for (const path of [`/tenants/${own}/x`, `/reports/${own}`])
            expect((await send(stage, authorization, path)).status).toBe(200);
        for (const other of [BETA.slug, BETA.id, 'nobody', uuid()])
          for (const path of [`/tenants/${other}/x`, `/reports/${other}`])
            await expectStopped(send(stage, authorization, path), 'wrong_tenant', stage.upstream);
      }
    });

    it('no spelling passes for a tenant: letters, encoding, Unicode, more of the path', async () => {
      const authorization = `Bearer ${await doors.session()}`;
      const spellings = [
        ...['ACME', 'Acme', 'acme%20', '%20acme', 'acme.', 'acme%00', 'acme%2f', 'acme%252f', 'acme,beta'],
        ...['%C3%A1cme', 'a%CC%81cme', '%EF%BD%81cme', 'acm%D0%B5', 'acme%E2%80%8B', 'acme%ED%A0%80'],
        ...[BETA.slug, 'BETA', '%62eta', 'b%65t%61', 'beta;acme', 'acme;beta', 'beta%26tenant%3Dacme'],
        ...[ACME.id.toUpperCase(), `{${ACME.id}}`, ACME.id.replaceAll('-', '')],
        ...[BETA.id, BETA.id.toUpperCase(), '*', '{tenant}', ':tenant', 'null', 'undefined', '__proto__'],
      ].map((text) => text.replaceAll(' ', '%20').replaceAll('{', '%7B').replaceAll('}', '%7D'));
      for (const spelled of spellings)
        for (const path of [`/tenants/${spelled}/x`, `/reports/${spelled}`]) {
          const answer = await send(stage, authorization, path);
          expect([path, answer.status]).toEqual([
            path,
            expect.toSatisfy((one) => one === 403 || one === 400),
          ]);
        }
      for (const path of ['/tenants/beta/x?tenant=acme', '/reports/beta?tenant=acme&tenant=beta'])
        await expectStopped(send(stage, authorization, path), 'wrong_tenant', stage.upstream);
      expect(stage.upstream.requests).toEqual([]);
      // What RFC 3986 §6.2.2.2 calls the same is the same, here and at the upstream.
      expect((await send(stage, authorization, '/reports/%61cm%65')).status).toBe(200);
      expect(stage.upstream.requests.map(({ target }) => target)).toEqual(['/reports/acme']);
    });

    it('a slug that looks like the id of another tenant does not pass for it', async () => {
      const evil = { id: uuid(), slug: uuid() };
      await doors.execute(
        sql`insert into tenants (tenant_id, name, slug) values (${evil.id}, 'evil', ${evil.slug})`,
      );
      const user = await doors.user(evil);
      await doors.link(stage.issuer.url, `evil-${user}`, user);
      const either = [
        await stage.bearer({ sub: `evil-${user}` }),
        `Bearer ${await doors.session({ tenant: evil.id, tenant_slug: BETA.id })}`,
      ];
      for (const [at, authorization] of either.entries()) {
        const path = `/reports/${at === 0 ? evil.slug : BETA.id}`;
        await expectStopped(send(stage, authorization, path), 'wrong_tenant', stage.upstream);
        expect((await send(stage, authorization, `/reports/${evil.id}`)).status).toBe(200);
      }
    });

    it('the upstream and the assertion are told tenant, slug and role; what the caller says of them is dropped', async () => {
      const user = await doors.user(BETA, { role: 'manager' });
      await doors.link(stage.issuer.url, `beta-${user}`, user);
      const claims = { sub: user, tenant: BETA.id, tenant_slug: BETA.slug, role: 'manager' };
      const forged = { 'x-user-tenant': ACME.id, 'X-User-Tenant-Slug': 'acme', x_user_role: 'super_admin' };
      for (const authorization of [
        `Bearer ${await doors.session(claims)}`,
        await stage.bearer({ sub: `beta-${user}` }),
      ])
        for (const path of ['/me', '/mine', '/tenants/beta/x']) {
          const answer = await stage.gateway.fetch(path, { headers: { authorization, ...forged } });
          expect(answer.status).toBe(200);
          expect(got(stage, 'x-user-tenant')).toEqual([BETA.id]);
          expect(got(stage, 'x-user-tenant-slug')).toEqual([BETA.slug]);
          expect(got(stage, 'x-user-role')).toEqual(['manager']);
          expect(got(stage, 'x_user_role')).toEqual([]);
          expect(decodeJwt(got(stage, 'x-gateway-assertion')?.[0] ?? '')).toMatchObject(claims);
        }
    });

    it('a shadow rule lets another tenant’s caller through, as their own', async () => {
      const authorization = `Bearer ${await doors.session()}`;
      expect((await send(stage, authorization, '/trial/beta')).status).toBe(200);
      expect(got(stage, 'x-user-tenant')).toEqual([ACME.id]);
    });
  },
);

gatewaySuite('without a database', { on: SOCKETS, rules: RULES }, (stage) => {
  it('a rule that needs the tenant is 503, any other takes the subject as it is', async () => {
    const authorization = await stage.bearer({ sub: uuid() });
    await expectStopped(send(stage, authorization, '/mine'), 'not_configured', stage.upstream);
    await expectStopped(send(stage, authorization, '/tenants/acme/x'), 'not_configured', stage.upstream);
    expect((await send(stage, authorization, '/me')).status).toBe(200);
    expect(got(stage, 'x-user-tenant')).toEqual([]);
  });
});
