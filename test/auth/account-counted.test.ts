import { hashSync } from 'bcryptjs';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { expectRefusal } from '../support/refusal.ts';
import { startCounted, tableOutbox, type Counted } from './counted.ts';
import { makeUser, PASSWORD } from './people.ts';
import { bearer, Pair } from './suite.ts';

const NEW = 'three plain words';

describe('accounts by password, in this process', () => {
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

  it('a reset takes as many statements for an address that nobody has', async () => {
    const user = await makeUser(db.database);
    const counts: number[] = [];
    for (const email of [user.email, `${randomUUID()}@example.org`]) {
      auth.statements();
      await auth.post('reset-password', { email });
      counts.push(auth.statements().length);
    }
    expect(counts[0]).toBe(counts[1]);
  });

  it('after the clean-up every password route is 410, and sessions go on', async () => {
    const user = await makeUser(db.database, { hash: hashSync(PASSWORD, 4) });
    const { access_token, refresh_token } = Pair.parse(
      await (await auth.post('login', { tenant: user.slug, email: user.email, password: PASSWORD })).json(),
    );
    await db.database.execute(
      sql`alter table users drop column password_hash, drop column password_changed_at, drop column failed_login_attempts,
            drop column locked_until, drop column auth_method, drop column migration_invited_at, drop column migration_completed_at`,
    );
    await expectRefusal(
      await auth.post('login', { tenant: user.slug, email: user.email, password: PASSWORD }),
      'password_retired',
    );
    await expectRefusal(await auth.post('reset-password', { email: user.email }), 'password_retired');
    await expectRefusal(
      await auth.post(
        'change-password',
        { current_password: PASSWORD, new_password: NEW },
        bearer(access_token),
      ),
      'password_retired',
    );
    const asked = { tenant: user.slug, email: 'new@example.org', password: NEW, full_name: 'New' };
    await expectRefusal(await auth.post('register', asked), 'password_retired');
    for (const route of ['register/confirm', 'reset-password/confirm'])
      await expectRefusal(await auth.post(route, { token: 'x', new_password: NEW }), 'password_retired');
    for (const page of ['register/confirm?token=x', 'reset-password?token=x'])
      await expectRefusal(await auth.get(page), 'password_retired');
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
