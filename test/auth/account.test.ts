import { hashSync } from 'bcryptjs';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { expectRefusal } from '../support/refusal.ts';
import { startCounted, tableOutbox, type Counted } from './counted.ts';
import { auditOf, makeTenant, makeUser, PASSWORD, userRow, type MadeUser } from './people.ts';
import { bearer, Pair } from './suite.ts';

/** Long because all of it needs one outbox of the test's own. */

const NEW = 'three plain words';
const MailRow = z.object({
  kind: z.string(),
  mail_values: z.record(z.string(), z.string()),
});

describe('accounts by password', () => {
  let db: MigratedDatabase;
  let auth: Counted;
  beforeAll(async () => {
    db = await DATABASE.start();
    auth = await startCounted(db.url, { NEW_USERS: 'both' }, await tableOutbox(db.database));
  });
  afterAll(async () => {
    await auth.close();
    await db.close();
  });

  const mailsTo = (address: string) =>
    db.database.query(
      sql`select kind, mail_values from test_outbox where recipient = ${address} order by id`,
      MailRow,
    );
  /** The token of the newest link in mails to an address. */
  async function tokenTo(address: string): Promise<string> {
    const link = (await mailsTo(address)).at(-1)?.mail_values['link'] ?? '';
    return new URL(link).searchParams.get('token') ?? '';
  }
  const login = (user: Pick<MadeUser, 'email' | 'slug'>, password = PASSWORD) =>
    auth.post('login', { tenant: user.slug, email: user.email, password });
  const signIn = async (user: MadeUser, password = PASSWORD) =>
    Pair.parse(await (await login(user, password)).json());
  const accepted = async (answer: Response) => [answer.status, await answer.text()];

  describe('a new password by the current one', () => {
    const change = (token: string, current_password: string, new_password = NEW) =>
      auth.post('change-password', { current_password, new_password }, bearer(token));

    it('counts from then on, and ends all other sessions', async () => {
      const user = await makeUser(db.database);
      const [mine, other] = [await signIn(user), await signIn(user)];
      expect((await change(mine.access_token, PASSWORD)).status).toBe(204);
      expect((await auth.get('me', bearer(mine.access_token))).status).toBe(200);
      await expectRefusal(await auth.get('me', bearer(other.access_token)), 'invalid_token');
      await expectRefusal(await login(user), 'invalid_credentials');
      expect((await login(user, NEW)).status).toBe(200);
      expect((await auditOf(db.database, user.userId)).map(({ what }) => what)).toContain('password_changed');
    });

    it('is refused with a wrong current password, which counts towards the lock', async () => {
      const user = await makeUser(db.database);
      const { access_token } = await signIn(user);
      await expectRefusal(await change(access_token, 'wrong'), 'invalid_credentials');
      expect((await userRow(db.database, user.userId)).failed_login_attempts).toBe(1);
    });

    it('is refused where it is weak, and nothing changes', async () => {
      const user = await makeUser(db.database);
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
    const reset = (body: object) => auth.post('reset-password', body);
    const confirm = (token: string, new_password = NEW) =>
      auth.post('reset-password/confirm', { token, new_password });

    it('the answer is the same for everybody', async () => {
      const user = await makeUser(db.database);
      const known = await accepted(await reset({ email: user.email }));
      expect(known[0]).toBe(202);
      for (const body of [{ email: 'nobody@example.org' }, { email: user.email, tenant: 'nowhere' }])
        expect(await accepted(await reset(body))).toEqual(known);
    });

    it('takes as many statements for an address that nobody has', async () => {
      const user = await makeUser(db.database);
      const counts: number[] = [];
      for (const email of [user.email, `${randomUUID()}@example.org`]) {
        auth.statements();
        await reset({ email });
        counts.push(auth.statements().length);
      }
      expect(counts[0]).toBe(counts[1]);
    });

    it('sets it, ends all sessions and every lock, and counts once', async () => {
      const user = await makeUser(db.database);
      const { access_token } = await signIn(user);
      await db.database.execute(
        sql`update users set failed_login_attempts = 7, locked_until = now() + interval '1 hour' where user_id = ${user.userId}`,
      );
      await reset({ email: user.email });
      const former = await tokenTo(user.email);
      await reset({ email: user.email, tenant: user.slug });
      const token = await tokenTo(user.email);
      const page = await auth.get(`reset-password?token=${token}`);
      expect(page.headers.get('referrer-policy')).toBe('no-referrer');
      expect(await page.text()).toContain(token);
      await expectRefusal(await confirm(token, 'short'), 'weak_password');
      expect((await confirm(token)).status).toBe(204);
      await expectRefusal(await auth.get('me', bearer(access_token)), 'invalid_token');
      expect((await login(user, NEW)).status).toBe(200);
      for (const spent of [token, former]) await expectRefusal(await confirm(spent), 'invalid_reset_token');
    });

    it('by fifty requests at the same moment is set by one of them', async () => {
      const user = await makeUser(db.database);
      await reset({ email: user.email });
      const token = await tokenTo(user.email);
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, at) => confirm(token, `three plain words ${at}`)),
      );
      expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    });

    it('is stored nowhere but as a digest', async () => {
      const user = await makeUser(db.database);
      await reset({ email: user.email });
      const token = await tokenTo(user.email);
      const rows = await db.database.query(
        sql`select to_jsonb(r)::text as text from sallyport_resets r`,
        z.object({ text: z.string() }),
      );
      expect(rows.filter(({ text }) => text.includes(token))).toEqual([]);
    });

    it('is not given to a person of the provider alone, whose mail says where to go', async () => {
      for (const options of [{ authMethod: 'kanidm' }, { hash: null, authMethod: 'kanidm' }]) {
        const user = await makeUser(db.database, options);
        await reset({ email: user.email });
        expect(await mailsTo(user.email)).toMatchObject([{ kind: 'password-elsewhere' }]);
      }
    });

    it('does not revive the password of who went over to the provider meanwhile', async () => {
      const user = await makeUser(db.database);
      await reset({ email: user.email });
      const token = await tokenTo(user.email);
      await db.database.execute(sql`update users set auth_method = 'kanidm' where user_id = ${user.userId}`);
      await expectRefusal(await confirm(token), 'invalid_reset_token');
      await expectRefusal(await login(user, NEW), 'invalid_credentials');
      await expectRefusal(await login(user), 'invalid_credentials');
    });

    it('after half an hour, or for a deleted user, is none', async () => {
      const [late, gone] = [await makeUser(db.database), await makeUser(db.database)];
      for (const { email } of [late, gone]) await reset({ email });
      const tokens = [await tokenTo(late.email), await tokenTo(gone.email)];
      await db.database.execute(
        sql`update sallyport_resets set expires_at = expires_at - interval '30 minutes' where user_id = ${late.userId}`,
      );
      await db.database.execute(sql`delete from users where user_id = ${gone.userId}`);
      for (const token of tokens) await expectRefusal(await confirm(token), 'invalid_reset_token');
    });

    it('is set by the form of the page too, which answers with a page', async () => {
      const user = await makeUser(db.database);
      await reset({ email: user.email });
      const token = await tokenTo(user.email);
      const weak = await auth.form('reset-password/confirm', { token, new_password: 'short' });
      expect([weak.status, weak.headers.get('content-type')]).toEqual([422, 'text/html; charset=utf-8']);
      const done = await auth.form('reset-password/confirm', { token, new_password: NEW });
      expect(done.status).toBe(200);
      expect((await login(user, NEW)).status).toBe(200);
    });

    it('the page takes nothing of its address for markup', async () => {
      const page = await auth.get(
        `reset-password?token=${encodeURIComponent('"><script>alert(1)</script>')}`,
      );
      expect(await page.text()).not.toContain('<script>');
      expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    });
  });

  describe('registration', () => {
    const register = (body: object) =>
      auth.post('register', { password: NEW, full_name: 'New Person', ...body });
    const confirm = (token: string) => auth.post('register/confirm', { token });
    const address = () => `new.${randomUUID().slice(0, 8)}@example.org`;

    it('makes nobody until the address is confirmed, then one user who signs in', async () => {
      const { slug, tenantId } = await makeTenant(db.database);
      const email = address();
      expect((await register({ tenant: slug, email })).status).toBe(202);
      await expectRefusal(await login({ slug, email }, NEW), 'invalid_credentials');
      const token = await tokenTo(email);
      expect((await auth.get(`register/confirm?token=${token}`)).status).toBe(200);
      const answers = await Promise.all(Array.from({ length: 10 }, () => confirm(token)));
      expect(answers.map(({ status }) => status).sort()).toEqual([
        204,
        ...Array.from({ length: 9 }, () => 400),
      ]);
      expect((await login({ slug, email }, NEW)).status).toBe(200);
      const [row] = await db.database.query(
        sql`select count(*) as count, bool_and(email_verified and auth_method = 'password' and role = 'user') as plain
            from users where tenant_id = ${tenantId}`,
        z.object({ count: z.number(), plain: z.boolean() }),
      );
      expect(row).toEqual({ count: 1, plain: true });
    });

    it('answers the same for an address that is known, and mails its owner instead', async () => {
      const user = await makeUser(db.database);
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

    it('of an attacker takes nothing from the owner who comes first by another way', async () => {
      const { slug, tenantId } = await makeTenant(db.database);
      const email = address();
      await register({ tenant: slug, email });
      const token = await tokenTo(email);
      await makeUser(db.database, { tenant: { slug, tenantId }, email, hash: null, authMethod: 'kanidm' });
      await expectRefusal(await confirm(token), 'invalid_reset_token');
      await expectRefusal(await login({ slug, email }, NEW), 'invalid_credentials');
    });

    it('wants a password that is not weak and an address', async () => {
      const { slug } = await makeTenant(db.database);
      await expectRefusal(
        await register({ tenant: slug, email: address(), password: 'password1' }),
        'weak_password',
      );
      await expectRefusal(await register({ tenant: slug, email: 'no address' }), 'invalid_request');
    });
  });

  it('after the clean-up every password route is 410, and sessions go on', async () => {
    const user = await makeUser(db.database, { hash: hashSync(PASSWORD, 4) });
    const { access_token, refresh_token } = await signIn(user);
    await db.database.execute(
      sql`alter table users drop column password_hash, drop column password_changed_at, drop column failed_login_attempts,
            drop column locked_until, drop column auth_method, drop column migration_invited_at, drop column migration_completed_at`,
    );
    await expectRefusal(await login(user), 'password_retired');
    await expectRefusal(await auth.post('reset-password', { email: user.email }), 'password_retired');
    await expectRefusal(
      await auth.post(
        'change-password',
        { current_password: PASSWORD, new_password: NEW },
        bearer(access_token),
      ),
      'password_retired',
    );
    expect((await auth.get('me', bearer(access_token))).status).toBe(200);
    expect((await auth.post('refresh', { refresh_token })).status).toBe(200);
  });
});

describe('registration that is closed', () => {
  it('is 403 unless NEW_USERS lets people register by password', async () => {
    const db = await DATABASE.start();
    for (const NEW_USERS of ['oauth', 'closed']) {
      const auth = await startCounted(db.url, { NEW_USERS });
      const body = { tenant: 'a', email: 'a@example.org', password: NEW, full_name: 'A' };
      await expectRefusal(await auth.post('register', body), 'registration_closed');
      await auth.close();
    }
    await db.close();
  });
});
