import { decodeJwt, decodeProtectedHeader } from 'jose';
import { describe, expect, it } from 'vitest';
import { hashSync } from 'bcryptjs';
import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { RUNTIMES } from '../support/gateway/runtimes.ts';
import { expectRefusal } from '../support/refusal.ts';
import { auditOf, HASH, makeTenant, makeUser, PASSWORD, userRow, type UserOptions } from './people.ts';
import { authSuite, bearer, PUBLIC_URL, SignedIn, signIn, type AuthStage } from './suite.ts';

/** Long because gateways of each runtime are started once for all that a sign-in may meet. */

const wrong = 'not the password';

/** Bodies of refusals, without what is of one request. */
async function bodyOf(answer: Response): Promise<unknown> {
  const { request_id, ...body } = z.looseObject({ request_id: z.string() }).parse(await answer.json());
  expect(request_id).toBeTruthy();
  return { status: answer.status, ...body };
}

function login(stage: AuthStage, body: Record<string, unknown>): Promise<Response> {
  return stage.post('login', { password: PASSWORD, ...body });
}

authSuite('sign-in by password', { on: RUNTIMES }, (stage) => {
  describe('OLD user: password works', () => {
    it('with the hash of the legacy application, whatever its prefix', async () => {
      for (const prefix of ['$2a$', '$2b$', '$2y$']) {
        const user = await makeUser(stage.database, { hash: prefix + HASH.slice(4), role: 'manager' });
        const { access_token, user: shown, ...rest } = await signIn(stage, user);
        expect(shown).toEqual({
          id: user.userId,
          tenant_id: user.tenantId,
          tenant: user.slug,
          email: user.email,
          full_name: 'A Person',
          role: 'manager',
          auth_method: 'password',
        });
        expect(rest).toMatchObject({ token_type: 'Bearer', expires_in: 900 });
        expect(decodeProtectedHeader(access_token)).toMatchObject({ alg: 'ES256', typ: 'at+jwt' });
        const { sid, iat = 0, ...claims } = decodeJwt(access_token);
        expect(claims).toEqual({
          iss: PUBLIC_URL,
          aud: PUBLIC_URL,
          sub: user.userId,
          tenant: user.tenantId,
          tenant_slug: user.slug,
          role: 'manager',
          auth_method: 'jwt',
          exp: iat + 900,
        });
        expect(await auditOf(stage.database, user.userId)).toMatchObject([{ what: 'signed_in' }]);
        const me = await stage.get('me', bearer(access_token));
        expect(await me.json()).toMatchObject({ id: user.userId, session: { id: sid, auth_method: 'jwt' } });
      }
    });

    it('by slug, by id, and without a tenant', async () => {
      const user = await makeUser(stage.database);
      for (const tenant of [user.slug, user.tenantId, user.tenantId.toUpperCase(), undefined])
        expect((await login(stage, { tenant, email: user.email })).status).toBe(200);
    });

    it('in another case of the address, where one person alone has it', async () => {
      const tenant = await makeTenant(stage.database);
      const name = randomUUID().slice(0, 8);
      const upper = await makeUser(stage.database, { tenant, email: `Bob.${name}@Example.org` });
      const answer = await login(stage, { tenant: tenant.slug, email: `bob.${name}@example.org` });
      expect(SignedIn.parse(await answer.json()).user.id).toBe(upper.userId);
      const lower = await makeUser(stage.database, { tenant, email: `bob.${name}@example.org` });
      const exact = await login(stage, { tenant: tenant.slug, email: `bob.${name}@example.org` });
      expect(SignedIn.parse(await exact.json()).user.id).toBe(lower.userId);
      await expectRefusal(
        await login(stage, { tenant: tenant.slug, email: `BOB.${name}@example.org` }),
        'invalid_credentials',
      );
    });

    it('sets last_login_at and resets what failed before', async () => {
      const user = await makeUser(stage.database);
      await login(stage, { email: user.email, password: wrong });
      expect(await userRow(stage.database, user.userId)).toMatchObject({ failed_login_attempts: 1 });
      await signIn(stage, user);
      const row = await userRow(stage.database, user.userId);
      expect(row).toMatchObject({ failed_login_attempts: 0, locked_until: null });
      expect(row.last_login_at).not.toBeNull();
    });
  });

  describe('invalid credentials rejected', () => {
    const refused: readonly (readonly [string, string, UserOptions, Record<string, unknown>])[] = [
      ['a wrong password', 'wrong_password', {}, { password: wrong }],
      ['a user of the provider alone', 'provider_only', { authMethod: 'kanidm' }, {}],
      ['a user without a hash', 'provider_only', { hash: null, authMethod: 'dual' }, {}],
      ['an inactive user', 'inactive', { status: 'inactive' }, {}],
      ['a suspended user', 'inactive', { status: 'suspended' }, {}],
      ['a hash of $2x$', 'unusable_hash', { hash: `$2x$${HASH.slice(4)}` }, {}],
      ['an empty hash', 'unusable_hash', { hash: '' }, {}],
      ['a hash of another form', 'unusable_hash', { hash: `md5:${HASH}` }, {}],
    ];

    it('one body for every reason, and the reason in the audit', async () => {
      const unknown = await bodyOf(await login(stage, { email: 'nobody@example.org' }));
      expect(unknown).toMatchObject({ status: 401, code: 'invalid_credentials' });
      for (const [what, why, options, body] of refused) {
        const user = await makeUser(stage.database, options);
        expect(await bodyOf(await login(stage, { email: user.email, ...body })), what).toEqual(unknown);
        const named = { tenant: user.slug, email: user.email, ...body };
        expect(await bodyOf(await login(stage, named)), what).toEqual(unknown);
        expect(await auditOf(stage.database, user.userId), what).toEqual(
          Array.from({ length: 2 }, () => ({ who: 'anonymous', what: 'sign_in_refused', why })),
        );
      }
      const deleted = await makeUser(stage.database, { deleted: true });
      expect(await bodyOf(await login(stage, { email: deleted.email }))).toEqual(unknown);
      const suspended = await makeUser(stage.database, {
        tenant: await makeTenant(stage.database, 'suspended'),
      });
      expect(await bodyOf(await login(stage, { email: suspended.email }))).toEqual(unknown);
      const [one, other] = [await makeUser(stage.database), await makeTenant(stage.database)];
      expect(await bodyOf(await login(stage, { tenant: other.slug, email: one.email }))).toEqual(unknown);
    });

    it('a look-alike address is another one', async () => {
      const name = randomUUID().slice(0, 8);
      await makeUser(stage.database, { email: `mike.${name}@example.org` });
      await expectRefusal(await login(stage, { email: `mıke.${name}@example.org` }), 'invalid_credentials');
    });

    it('flags hashes that nobody can verify', async () => {
      const user = await makeUser(stage.database, { hash: `$2x$${HASH.slice(4)}` });
      await login(stage, { email: user.email });
      await login(stage, { email: user.email });
      const flags = await stage.database.query(
        sql`select flags from sallyport_people where user_id = ${user.userId}`,
        z.object({ flags: z.unknown() }),
      );
      expect(flags).toEqual([{ flags: { unusable_hash: true } }]);
    });
  });

  describe('the lock', () => {
    it('comes with the fifth failure, doubles with each further one up to a day, and ends with a right password', async () => {
      const user = await makeUser(stage.database);
      const fail = () => login(stage, { email: user.email, password: wrong });
      for (let at = 0; at < 4; at += 1) await fail();
      expect(await userRow(stage.database, user.userId)).toMatchObject({
        failed_login_attempts: 4,
        lock_minutes: null,
      });
      for (const minutes of [15, 30, 60, 120, 240, 480, 960, 1440, 1440]) {
        await stage.database.execute(
          sql`update users set locked_until = now() - interval '1 second' where user_id = ${user.userId} and locked_until is not null`,
        );
        await fail();
        expect((await userRow(stage.database, user.userId)).lock_minutes).toBe(minutes);
      }
      await expectRefusal(await login(stage, { email: user.email }), 'invalid_credentials');
      await stage.database.execute(sql`update users set locked_until = now() where user_id = ${user.userId}`);
      expect((await login(stage, { email: user.email })).status).toBe(200);
      expect(await userRow(stage.database, user.userId)).toMatchObject({
        failed_login_attempts: 0,
        locked_until: null,
      });
    });

    it('counts failures at the same moment, each of them', async () => {
      const user = await makeUser(stage.database);
      await Promise.all(
        Array.from({ length: 4 }, () => login(stage, { email: user.email, password: wrong })),
      );
      expect((await userRow(stage.database, user.userId)).failed_login_attempts).toBe(4);
    });
  });

  describe('a right password that is held back', () => {
    it('fits several tenants: 409, and the tenants by name; a wrong one says nothing of them', async () => {
      const email = `both.${randomUUID().slice(0, 8)}@example.org`;
      const [one, two] = [
        await makeUser(stage.database, { email }),
        await makeUser(stage.database, { email }),
      ];
      const { detail } = await expectRefusal(await login(stage, { email }), 'tenant_required');
      expect(detail).toContain([one.slug, two.slug].toSorted().join(', '));
      await expectRefusal(await login(stage, { email, password: wrong }), 'invalid_credentials');
      expect((await login(stage, { email, tenant: two.slug })).status).toBe(200);
    });

    it('fits one of several tenants: that one', async () => {
      const email = `one.${randomUUID().slice(0, 8)}@example.org`;
      await makeUser(stage.database, { email, hash: hashSync('another password', 4) });
      const two = await makeUser(stage.database, { email });
      expect(SignedIn.parse(await (await login(stage, { email })).json()).user.id).toBe(two.userId);
    });

    it('after the deadline of the tenant: 403, unless the migration is paused', async () => {
      const user = await makeUser(stage.database);
      await stage.database.execute(
        sql`insert into sallyport_tenants (tenant_id, deadline) values (${user.tenantId}, now() - interval '1 second')`,
      );
      await expectRefusal(await login(stage, { email: user.email }), 'password_deadline_passed');
      await expectRefusal(await login(stage, { email: user.email, password: wrong }), 'invalid_credentials');
      await stage.database.execute(
        sql`insert into sallyport_switches (name, who) values ('migration', 'test')`,
      );
      expect((await login(stage, { email: user.email })).status).toBe(200);
      await stage.database.execute(sql`delete from sallyport_switches`);
    });
  });

  describe('hashes', () => {
    it('a password over 72 bytes is compared as the legacy application did, and flagged', async () => {
      const long = `${'a'.repeat(72)}X`;
      const user = await makeUser(stage.database, { hash: hashSync('a'.repeat(72), 4) });
      expect((await login(stage, { email: user.email, password: long })).status).toBe(200);
      expect(
        await stage.database.query(
          sql`select flags from sallyport_people where user_id = ${user.userId}`,
          z.object({ flags: z.unknown() }),
        ),
      ).toEqual([{ flags: { over_72_bytes: true } }]);
    });
  });

  describe('a browser', () => {
    it('gets cookies in the place of tokens, and is known by them', async () => {
      const user = await makeUser(stage.database);
      const answer = await login(stage, { email: user.email, cookie: true });
      expect(await answer.json()).toEqual({
        user: expect.objectContaining({ id: user.userId }) as unknown,
        migration: { state: 'not_invited', deadline: null, start_url: null },
      });
      const cookies = answer.headers.getSetCookie();
      expect(cookies).toHaveLength(2);
      for (const cookie of cookies)
        expect(cookie).toMatch(/; Path=\/; Max-Age=2592000; HttpOnly; SameSite=Lax$/);
      const cookie = cookies.map((each) => each.split(';')[0]).join('; ');
      expect((await stage.get('me', { cookie })).status).toBe(200);
      for (const headers of [
        {},
        { 'sec-fetch-site': 'same-site' },
        { 'sec-fetch-site': 'none' },
        { origin: 'https://evil.example' },
      ])
        await expectRefusal(await stage.post('logout', {}, { cookie, ...headers }), 'cross_site');
      const out = await stage.post('logout', {}, { cookie, 'sec-fetch-site': 'same-origin' });
      expect(out.status).toBe(204);
      for (const each of out.headers.getSetCookie()) expect(each).toContain('Max-Age=0');
      await expectRefusal(await stage.get('me', { cookie }), 'invalid_token');
      const again = await stage.post('logout', {}, { cookie, 'sec-fetch-site': 'same-origin' });
      expect([again.status, again.headers.getSetCookie().length]).toEqual([204, 2]);
    });

    it('of another site gets no cookies', async () => {
      const user = await makeUser(stage.database);
      const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
      await expectRefusal(
        await stage.post('login', { email: user.email, password: PASSWORD, cookie: true }, headers),
        'cross_site',
      );
    });
  });
});

authSuite('renewed hashes', { variables: () => ({ PASSWORD_COST: '5' }) }, (stage) => {
  it('a cheaper hash is renewed with the sign-in, a dearer one stays', async () => {
    const cheap = await makeUser(stage.database);
    await signIn(stage, cheap);
    const { password_hash: renewed } = await userRow(stage.database, cheap.userId);
    expect(renewed).toMatch(/^\$2b\$05\$/);
    await signIn(stage, cheap);
    expect((await userRow(stage.database, cheap.userId)).password_hash).toBe(renewed);
    const dear = await makeUser(stage.database, { hash: hashSync(PASSWORD, 6) });
    await signIn(stage, dear);
    expect((await userRow(stage.database, dear.userId)).password_hash).toMatch(/^\$2[aby]\$06\$/);
  });
});

authSuite('rates of sign-in', { variables: () => ({ LOGIN_RATE: '30/60s,3/60s' }) }, (stage) => {
  it('limits an account, known or not, before any password is looked at', async () => {
    const user = await makeUser(stage.database);
    for (const email of [user.email, `nobody.${randomUUID()}@example.org`]) {
      for (let at = 0; at < 3; at += 1) await login(stage, { email, password: wrong });
      const answer = await login(stage, { email });
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
      await expectRefusal(answer, 'rate_limited');
    }
    expect((await userRow(stage.database, user.userId)).failed_login_attempts).toBe(3);
  });
});

authSuite('passwords that are switched off', { variables: () => ({ PASSWORD_SIGN_IN: 'off' }) }, (stage) => {
  it('are 410 on every route of theirs, whatever is sent', async () => {
    const routes = ['login', 'register', 'register/confirm', 'change-password', 'reset-password'];
    for (const route of [...routes, 'reset-password/confirm'])
      for (const body of [{ email: 'a@example.org', password: PASSWORD }, '{'])
        await expectRefusal(await stage.post(route, body), 'password_retired');
    for (const page of ['register/confirm?token=x', 'reset-password?token=x'])
      await expectRefusal(await stage.get(page), 'password_retired');
  });
});
