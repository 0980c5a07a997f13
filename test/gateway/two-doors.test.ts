import { decodeJwt } from 'jose';
import { afterAll, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import { expectStopped } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';
import { ACME, BETA, openTwoDoors, PUBLIC_URL, uuid } from '../support/two-doors.ts';

const doors = await openTwoDoors();
afterAll(() => doors.close());

const RULES = [
  { path: '/me', method: '*', feature: 'authenticated' },
  { path: '/admin', method: 'GET', feature: 'admin_panel', action: 'manager' },
];

const send = (stage: Stage, authorization: string, path = '/me') =>
  stage.gateway.fetch(path, { headers: { authorization } });

/** The value of a field that the upstream got with the latest request. */
const got = (stage: Stage, field: string) => stage.upstream.requests.at(-1)?.values(field);

async function grant(stage: Stage, user: string): Promise<void> {
  const { OPENFGA_STORE_ID: store = '' } = stage.variables;
  const tuple_keys = [{ user, relation: 'admin', object: 'feature:admin_panel' }];
  const answer = await fetch(`${stage.openfga.url}/stores/${store}/write`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ writes: { tuple_keys } }),
  });
  expect(answer.status).toBe(200);
}

gatewaySuite(
  'a person is the same through either door',
  { on: SOCKETS, rules: RULES, variables: () => doors.variables() },
  (stage) => {
    it('by session token, by Zitadel under another id, and by Kanidm as the application linked it', async () => {
      const user = await doors.user(ACME);
      const [zitadelId, kanidmId] = ['287398412356812801', uuid()];
      await grant(stage, `user:${user}`);
      const byEach = [
        [`Bearer ${await doors.session({ sub: user })}`, PUBLIC_URL],
        [await stage.bearer({ sub: zitadelId }), stage.issuer.url],
        [await doors.kanidmBearer(kanidmId), doors.kanidm.url],
      ] as const;
      await doors.link(stage.issuer.url, zitadelId, user);
      await doors.link(doors.kanidm.url, kanidmId, user);
      for (const [authorization, issuer] of byEach) {
        expect((await send(stage, authorization, '/admin')).status).toBe(200);
        expect(got(stage, 'x-user-id')).toEqual([user]);
        expect(got(stage, 'x-user-issuer')).toEqual([issuer]);
        const assertion = decodeJwt(got(stage, 'x-gateway-assertion')?.[0] ?? '');
        expect(assertion).toMatchObject({ sub: user, sub_iss: issuer, tenant: ACME.id });
      }
    });

    it('a row with kanidm_user_id and no link is Kanidm’s account, and no other issuer’s', async () => {
      const [user, account] = [await doors.user(ACME), uuid()];
      await doors.execute(sql`update users set kanidm_user_id = ${account} where user_id = ${user}`);
      expect((await send(stage, await doors.kanidmBearer(account))).status).toBe(200);
      expect(got(stage, 'x-user-id')).toEqual([user]);
      expect((await send(stage, await stage.bearer({ sub: account }))).status).toBe(200);
      expect(got(stage, 'x-user-id')).toEqual([account]);
    });

    it('a row whose kanidm_user_id mirrors a link to Zitadel is no account of Kanidm', async () => {
      const user = await doors.user(ACME);
      const account = uuid();
      await doors.execute(sql`update users set kanidm_user_id = ${account} where user_id = ${user}`);
      await doors.link(stage.issuer.url, account, user);
      expect((await send(stage, await doors.kanidmBearer(account))).status).toBe(200);
      expect(got(stage, 'x-user-id')).toEqual([account]);
      expect(got(stage, 'x-user-tenant')).toEqual([]);
    });

    it('a subject without a link stays what it is, and is in no tenant', async () => {
      for (const sub of [uuid(), 'somebody', '287398412356812999']) {
        expect((await send(stage, await stage.bearer({ sub }))).status).toBe(200);
        expect(got(stage, 'x-user-id')).toEqual([sub]);
        expect(got(stage, 'x-user-tenant')).toEqual([]);
      }
    });

    it('a subject that is the id of somebody else is refused, however it is spelled', async () => {
      const victim = await doors.user(ACME, { role: 'admin' });
      const spellings = [
        victim,
        victim.toUpperCase(),
        victim.replaceAll('-', ''),
        `{${victim}}`,
        victim
          .replaceAll('-', '')
          .replace(/(.{4})/g, '$1-')
          .slice(0, -1),
      ];
      for (const sub of spellings)
        for (const authorization of [await stage.bearer({ sub }), await doors.kanidmBearer(sub)])
          await expectStopped(send(stage, authorization), 'invalid_token', stage.upstream);
    });

    it('an account that provisioning made under the user’s own id is that user', async () => {
      const user = await doors.user(BETA);
      await doors.link(stage.issuer.url, user, user);
      expect((await send(stage, await stage.bearer({ sub: user }))).status).toBe(200);
      expect(got(stage, 'x-user-id')).toEqual([user]);
      expect(got(stage, 'x-user-tenant')).toEqual([BETA.id]);
      await expectStopped(send(stage, await doors.kanidmBearer(user)), 'invalid_token', stage.upstream);
    });

    it('the same subject at another issuer is another account', async () => {
      const user = await doors.user(ACME);
      await doors.link(stage.issuer.url, 'same', user);
      expect((await send(stage, await doors.kanidmBearer('same'))).status).toBe(200);
      expect(got(stage, 'x-user-id')).toEqual(['same']);
    });

    it('without the database nobody new is taken for anybody; who is remembered goes on, and so do sessions', async () => {
      const user = await doors.user(ACME);
      await doors.link(stage.issuer.url, 'remembered', user);
      const known = await stage.bearer({ sub: 'remembered' });
      expect((await send(stage, known)).status).toBe(200);
      doors.cut();
      try {
        const fresh = await stage.bearer({ sub: 'remembered', jti: 'another' });
        await expectStopped(send(stage, fresh), 'database_unavailable', stage.upstream);
        expect((await send(stage, known)).status).toBe(200);
        expect(got(stage, 'x-user-id')).toEqual([user]);
        expect((await send(stage, `Bearer ${await doors.session({ sub: user })}`)).status).toBe(200);
      } finally {
        await doors.mend();
      }
      const after = await stage.bearer({ sub: 'remembered', jti: 'after' });
      expect((await send(stage, after)).status).toBe(200);
    });
  },
);

gatewaySuite('session tokens', { on: SOCKETS, rules: RULES, variables: () => doors.variables() }, (stage) => {
  it('JWT validation without key fetch: nobody is asked, not even once', async () => {
    const before = [stage.issuer.requests.length, doors.kanidm.requests.length];
    for (let n = 0; n < 20; n++)
      expect((await send(stage, `Bearer ${await doors.session()}`)).status).toBe(200);
    expect([stage.issuer.requests.length, doors.kanidm.requests.length]).toEqual(before);
  });

  it('are those of our own keys, for us, and access tokens', async () => {
    const now = Math.floor(Date.now() / 1_000);
    const bad = [
      doors.session({ aud: 'another' }),
      doors.session({ iss: 'https://other.example.org' }),
      doors.session({ exp: now - 60 }),
      doors.session({ tenant: 'acme' }),
      doors.session({ sid: undefined }),
      doors.session({ sub: '*' }),
      stage.issuer.sign({ iss: PUBLIC_URL, aud: PUBLIC_URL }, { header: { typ: 'at+jwt' } }),
    ];
    for (const token of await Promise.all(bad))
      await expectStopped(send(stage, `Bearer ${token}`), 'invalid_token', stage.upstream);
  });

  it('are verified by keys that anybody may read', async () => {
    const answer = await stage.gateway.fetch('/.well-known/sallyport/jwks.json');
    const { keys } = (await answer.json()) as { keys: Record<string, unknown>[] };
    expect(keys).toHaveLength(2);
    for (const key of keys) expect(key).not.toHaveProperty('d');
  });
});
