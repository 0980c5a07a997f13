import { expect, it } from 'vitest';
import { expectStopped } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';

const ROLES = 'urn:zitadel:iam:org:project:roles';
const CLIENT = { id: 'gateway', secret: 'secret-of-the-gateway' };

const ask = async (stage: Stage, path: string, claims: Record<string, unknown>) =>
  stage.gateway.fetch(path, { headers: { authorization: await stage.bearer(claims) } });

gatewaySuite(
  'a rule may demand claims of the token',
  {
    client: CLIENT,
    rules: [
      { path: '/scoped', method: 'GET', claims: { scope: ['reports:read', 'reports:list'] } },
      { path: '/roles', method: 'GET', claims: { [ROLES]: 'admin' } },
      { path: '/both', method: 'GET', claims: { tier: 'gold' }, feature: 'admin_panel', action: 'manager' },
      { path: '/shadow', method: 'GET', claims: { tier: 'gold' }, mode: 'shadow' },
      { path: '/public', method: 'GET', feature: 'public_access' },
    ],
    variables: () => ({ ZITADEL_CLIENT_ID: CLIENT.id, ZITADEL_CLIENT_SECRET: CLIENT.secret }),
  },
  (stage) => {
    it('who has them passes, without a question to OpenFGA', async () => {
      const asked = stage.openfga.requests.length;
      expect((await ask(stage, '/scoped', { scope: 'a reports:list reports:read' })).status).toBe(200);
      expect((await ask(stage, '/roles', { [ROLES]: { admin: { 1: 'example.org' } } })).status).toBe(200);
      expect(stage.openfga.requests).toHaveLength(asked);
    });

    it('who lacks a scope is told so in the challenge (RFC 6750 §3.1)', async () => {
      const answer = await ask(stage, '/scoped', { scope: 'reports:read' });
      expect(answer.headers.get('www-authenticate')).toBe(
        'Bearer realm="sallyport", error="insufficient_scope", scope="reports:read reports:list"',
      );
      await expectStopped(Promise.resolve(answer), 'forbidden', stage.upstream);
    });

    it('who lacks another claim is refused without a challenge', async () => {
      const answer = await ask(stage, '/roles', { [ROLES]: { reader: {} } });
      expect(answer.headers.get('www-authenticate')).toBeNull();
      await expectStopped(Promise.resolve(answer), 'forbidden', stage.upstream);
    });

    it('beside a feature both have to hold', async () => {
      expect((await ask(stage, '/both', { sub: 'bob', tier: 'gold' })).status).toBe(200);
      await expectStopped(ask(stage, '/both', { sub: 'bob' }), 'forbidden', stage.upstream);
      await expectStopped(ask(stage, '/both', { sub: 'carol', tier: 'gold' }), 'forbidden', stage.upstream);
    });

    it('a remembered token still has them', async () => {
      const authorization = await stage.bearer({
        sub: 'twice',
        tier: 'gold',
        scope: 'reports:read reports:list',
      });
      const headers = { authorization };
      expect((await stage.gateway.fetch('/shadow', { headers })).status).toBe(200);
      expect((await stage.gateway.fetch('/scoped', { headers })).status).toBe(200);
      expect((await stage.gateway.fetch('/roles', { headers })).status).toBe(403);
    });

    it('mode shadow lets through what it would refuse', async () => {
      expect((await ask(stage, '/shadow', {})).status).toBe(200);
      expect((await stage.gateway.fetch('/shadow')).status).toBe(401);
    });

    it('those of an opaque token are what introspection answers', async () => {
      const token = 'opaque-with-scope';
      stage.secrets.push(token);
      stage.issuer.opaque.set(token, {
        active: true,
        sub: 'robot',
        client_id: 'app',
        aud: ['api'],
        scope: 'reports:read reports:list',
      });
      const headers = { authorization: `Bearer ${token}` };
      for (let i = 0; i < 2; i++)
        expect((await stage.gateway.fetch('/scoped', { headers })).status).toBe(200);
      expect((await stage.gateway.fetch('/roles', { headers })).status).toBe(403);
    });
  },
);
