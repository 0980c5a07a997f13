import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { expectRefusal } from '../support/refusal.ts';
import { auditOf, makeTenant, makeUser, PASSWORD, userRow, type MadeUser } from './people.ts';
import { MAILED, mailsOf, tokenIn } from './mails.ts';
import { authSuite, bearer, Pair } from './suite.ts';

const NEW = 'three plain words';

authSuite('accounts by password', { variables: () => MAILED }, (stage) => {
  const mailsTo = (address: string) => mailsOf(stage, address);
  /** The token of the newest link in mails to an address. */
  async function tokenTo(address: string): Promise<string> {
    const token = tokenIn(await mailsTo(address));
    stage.secrets.push(token);
    return token;
  }
  const login = (user: Pick<MadeUser, 'email' | 'slug'>, password = PASSWORD) =>
    stage.post('login', { tenant: user.slug, email: user.email, password });
  const signIn = async (user: MadeUser, password = PASSWORD) =>
    Pair.parse(await (await login(user, password)).json());
  const accepted = async (answer: Response) => [answer.status, await answer.text()];
  const form = (route: string, fields: Record<string, string>) =>
    stage.gateway.fetch(`/api/v1/auth/${route}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(fields).toString(),
    });

  describe('a new password by the current one', () => {
    const change = (token: string, current_password: string, new_password = NEW) =>
      stage.post('change-password', { current_password, new_password }, bearer(token));

    it('counts from then on, and ends all other sessions', async () => {
      const user = await makeUser(stage.database);
      const [mine, other] = [await signIn(user), await signIn(user)];
      expect((await change(mine.access_token, PASSWORD)).status).toBe(204);
      expect((await stage.get('me', bearer(mine.access_token))).status).toBe(200);
      await expectRefusal(await stage.get('me', bearer(other.access_token)), 'invalid_token');
      await expectRefusal(await login(user), 'invalid_credentials');
      expect((await login(user, NEW)).status).toBe(200);
      expect((await auditOf(stage.database, user.userId)).map(({ what }) => what)).toContain(
        'password_changed',
      );
    });

    it('is refused with a wrong current password, which counts towards the lock', async () => {
      const user = await makeUser(stage.database);
      const { access_token } = await signIn(user);
      await expectRefusal(await change(access_token, 'wrong'), 'invalid_credentials');
      expect((await userRow(stage.database, user.userId)).failed_login_attempts).toBe(1);
    });

    it('is refused where it is weak, and nothing changes', async () => {
      const user = await makeUser(stage.database);
      const { access_token } = await signIn(user);
      for (const weak of ['short', 'Password123', user.email, 'x'.repeat(73)])
        await expectRefusal(await change(access_token, PASSWORD, weak), 'weak_password');
      expect((await login(user)).status).toBe(200);
    });

    it('is for nobody without a session', async () => {
      await expectRefusal(await change('x', PASSWORD), 'invalid_token');
    });
  });

  describe('a new password by a mailed link', () => {
    const reset = (body: object) => stage.post('reset-password', body);
    const confirm = (token: string, new_password = NEW) =>
      stage.post('reset-password/confirm', { token, new_password });

    it('the answer is the same for everybody', async () => {
      const user = await makeUser(stage.database);
      const known = await accepted(await reset({ email: user.email }));
      expect(known[0]).toBe(202);
      for (const body of [{ email: 'nobody@example.org' }, { email: user.email, tenant: 'nowhere' }])
        expect(await accepted(await reset(body))).toEqual(known);
    });

    it('sets it, ends all sessions and every lock, and counts once', async () => {
      const user = await makeUser(stage.database);
      const { access_token } = await signIn(user);
      await stage.database.execute(
        sql`update users set failed_login_attempts = 7, locked_until = now() + interval '1 hour' where user_id = ${user.userId}`,
      );
      await reset({ email: user.email });
      const former = await tokenTo(user.email);
      await reset({ email: user.email, tenant: user.slug });
      const token = await tokenTo(user.email);
      const page = await stage.get(`reset-password?token=${token}`);
      expect(page.headers.get('referrer-policy')).toBe('no-referrer');
      expect(await page.text()).toContain(token);
      await expectRefusal(await confirm(token, 'short'), 'weak_password');
      expect((await confirm(token)).status).toBe(204);
      await expectRefusal(await stage.get('me', bearer(access_token)), 'invalid_token');
      expect((await login(user, NEW)).status).toBe(200);
      for (const spent of [token, former]) await expectRefusal(await confirm(spent), 'invalid_reset_token');
    });

    it('by fifty requests at the same moment is set by one of them', async () => {
      const user = await makeUser(stage.database);
      await reset({ email: user.email });
      const token = await tokenTo(user.email);
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, at) => confirm(token, `three plain words ${at}`)),
      );
      expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    });

    it('is stored nowhere but as a digest', async () => {
      const user = await makeUser(stage.database);
      await reset({ email: user.email });
      const token = await tokenTo(user.email);
      const rows = await stage.database.query(
        sql`select to_jsonb(r)::text as text from sallyport_resets r`,
        z.object({ text: z.string() }),
      );
      expect(rows.filter(({ text }) => text.includes(token))).toEqual([]);
    });

    it('is not given to a person of the provider alone, whose mail says where to go', async () => {
      for (const options of [{ authMethod: 'kanidm' }, { hash: null, authMethod: 'kanidm' }]) {
        const user = await makeUser(stage.database, options);
        await reset({ email: user.email });
        expect(await mailsTo(user.email)).toMatchObject([{ kind: 'password-elsewhere' }]);
      }
    });

    it('does not revive the password of who went over to the provider meanwhile', async () => {
      const user = await makeUser(stage.database);
      await reset({ email: user.email });
      const token = await tokenTo(user.email);
      await stage.database.execute(
        sql`update users set auth_method = 'kanidm' where user_id = ${user.userId}`,
      );
      await expectRefusal(await confirm(token), 'invalid_reset_token');
      await expectRefusal(await login(user, NEW), 'invalid_credentials');
      await expectRefusal(await login(user), 'invalid_credentials');
    });

    it('after half an hour, or for a deleted user, is none', async () => {
      const [late, gone] = [await makeUser(stage.database), await makeUser(stage.database)];
      for (const { email } of [late, gone]) await reset({ email });
      const tokens = [await tokenTo(late.email), await tokenTo(gone.email)];
      await stage.database.execute(
        sql`update sallyport_resets set expires_at = expires_at - interval '30 minutes' where user_id = ${late.userId}`,
      );
      await stage.database.execute(sql`delete from users where user_id = ${gone.userId}`);
      for (const token of tokens) await expectRefusal(await confirm(token), 'invalid_reset_token');
    });

    it('is set by the form of the page too, which answers with a page', async () => {
      const user = await makeUser(stage.database);
      await reset({ email: user.email });
      const token = await tokenTo(user.email);
      const weak = await form('reset-password/confirm', { token, new_password: 'short' });
      expect([weak.status, weak.headers.get('content-type')]).toEqual([422, 'text/html; charset=utf-8']);
      const done = await form('reset-password/confirm', { token, new_password: NEW });
      expect(done.status).toBe(200);
      expect((await login(user, NEW)).status).toBe(200);
    });

    it('the page takes nothing of its address for markup', async () => {
      const page = await stage.get(
        `reset-password?token=${encodeURIComponent('"><script>alert(1)</script>')}`,
      );
      expect(await page.text()).not.toContain('<script>');
      expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    });
  });

  describe('registration', () => {
    const register = (body: object) =>
      stage.post('register', { password: NEW, full_name: 'New Person', ...body });
    const confirm = (token: string) => stage.post('register/confirm', { token });
    const address = () => `new.${randomUUID().slice(0, 8)}@example.org`;

    it('makes nobody until the address is confirmed, then one user who signs in', async () => {
      const { slug, tenantId } = await makeTenant(stage.database);
      const email = address();
      expect((await register({ tenant: slug, email })).status).toBe(202);
      await expectRefusal(await login({ slug, email }, NEW), 'invalid_credentials');
      const token = await tokenTo(email);
      expect((await stage.get(`register/confirm?token=${token}`)).status).toBe(200);
      const answers = await Promise.all(Array.from({ length: 10 }, () => confirm(token)));
      expect(answers.map(({ status }) => status).sort()).toEqual([
        204,
        ...Array.from({ length: 9 }, () => 400),
      ]);
      expect((await login({ slug, email }, NEW)).status).toBe(200);
      const [row] = await stage.database.query(
        sql`select count(*) as count, bool_and(email_verified and auth_method = 'password' and role = 'user') as plain
            from users where tenant_id = ${tenantId}`,
        z.object({ count: z.number(), plain: z.boolean() }),
      );
      expect(row).toEqual({ count: 1, plain: true });
    });

    it('answers the same for an address that is known, and mails its owner instead', async () => {
      const user = await makeUser(stage.database);
      const unknown = await accepted(await register({ tenant: user.slug, email: address() }));
      expect(unknown[0]).toBe(202);
      expect(await accepted(await register({ tenant: user.slug, email: user.email.toUpperCase() }))).toEqual(
        unknown,
      );
      expect(await accepted(await register({ tenant: 'nowhere', email: address() }))).toEqual(unknown);
      expect(await mailsTo(user.email.toUpperCase())).toEqual([]);
      expect(await mailsTo(user.email)).toMatchObject([{ kind: 'already-registered' }]);
      expect((await login(user)).status).toBe(200);
    });

    it('mails nobody at the address of a deleted user', async () => {
      const user = await makeUser(stage.database, { deleted: true });
      expect((await register({ tenant: user.slug, email: user.email })).status).toBe(202);
      expect(await mailsTo(user.email)).toEqual([]);
    });

    it('of an attacker takes nothing from the owner who comes first by another way', async () => {
      const { slug, tenantId } = await makeTenant(stage.database);
      const email = address();
      await register({ tenant: slug, email });
      const token = await tokenTo(email);
      await makeUser(stage.database, { tenant: { slug, tenantId }, email, hash: null, authMethod: 'kanidm' });
      await expectRefusal(await confirm(token), 'invalid_reset_token');
      await expectRefusal(await login({ slug, email }, NEW), 'invalid_credentials');
    });

    it('wants a password that is not weak and an address', async () => {
      const { slug } = await makeTenant(stage.database);
      await expectRefusal(
        await register({ tenant: slug, email: address(), password: 'password1' }),
        'weak_password',
      );
      await expectRefusal(await register({ tenant: slug, email: 'no address' }), 'invalid_request');
    });
  });
});
