import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import { sql } from '../../shared/ports/database.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { startCounted, tableOutbox, type Counted } from './counted.ts';
import { makeUser, PASSWORD, userRow, type MadeUser } from './people.ts';
import { bearer, Pair } from './suite.ts';

const NEW = 'three plain words';
const [, POSTGRES] = DATABASES;

describe.skipIf(POSTGRES.missing)('sign-in beside something that happens at the same moment', () => {
  let db: MigratedDatabase;
  let auth: Counted;
  beforeAll(async () => {
    db = await POSTGRES.start();
    const variables = { NEW_USERS: 'both', PASSWORD_COST: '5' };
    auth = await startCounted(db.url, variables, await tableOutbox(db.database));
  });
  afterAll(async () => {
    await auth.close();
    await db.close();
  });

  const login = ({ email, slug: tenant }: MadeUser) =>
    auth.post('login', { tenant, email, password: PASSWORD });

  it('by the right password is not refused because another one renewed the hash', async () => {
    const user = await makeUser(db.database);
    const answers = await Promise.all(Array.from({ length: 8 }, () => login(user)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect((await userRow(db.database, user.userId)).password_hash).toMatch(/^\$2b\$05\$/);
  });

  /** Runs `work` while a sign-in by the old password has done all but commit; whether its session lives then. */
  async function outlives(user: MadeUser, work: () => Promise<Response>): Promise<boolean> {
    const session = await openPgSession(db.url);
    try {
      await session.script('begin');
      await session.script(`update users set last_login_at = now() where user_id = '${user.userId}'`);
      await session.script(
        `insert into sessions (user_id, tenant_id, access_token_hash, refresh_token_hash, access_token_expires_at, refresh_token_expires_at)
         values ('${user.userId}', '${user.tenantId}', 'a', 'r', now() + interval '1 hour', now() + interval '1 day')`,
      );
      const done = work();
      await blocked();
      await session.script('commit');
      expect((await done).status).toBe(204);
    } finally {
      await session.close();
    }
    const [row] = await db.database.query(
      sql`select revoked from sessions where user_id = ${user.userId} and access_token_hash = 'a'`,
      z.object({ revoked: z.boolean() }),
    );
    return row?.revoked === false;
  }

  /** Until a statement waits for a row. */
  async function blocked(): Promise<void> {
    for (;;) {
      const rows = await db.database.query(
        sql`select 1 as one from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        z.object({ one: z.number() }),
      );
      if (rows.length > 0) return;
    }
  }

  it('by the old password ends with a reset that did not see it begin', async () => {
    const user = await makeUser(db.database);
    await auth.post('reset-password', { email: user.email });
    const [mail] = await db.database.query(
      sql`select mail_values ->> 'link' as link from test_outbox where recipient = ${user.email}`,
      z.object({ link: z.string() }),
    );
    const token = new URL(mail!.link).searchParams.get('token');
    const reset = () => auth.post('reset-password/confirm', { token, new_password: NEW });
    expect(await outlives(user, reset)).toBe(false);
  });

  it('by the old password ends with a change of it that did not see it begin', async () => {
    const user = await makeUser(db.database);
    const { access_token } = Pair.parse(await (await login(user)).json());
    const change = () =>
      auth.post('change-password', { current_password: PASSWORD, new_password: NEW }, bearer(access_token));
    expect(await outlives(user, change)).toBe(false);
  });

  it('registration of a known address in another spelling mails the one on record, and nothing of what was written', async () => {
    const user = await makeUser(db.database);
    const email = user.email.toUpperCase();
    const answer = await auth.post('register', {
      ...{ tenant: user.slug, email, password: NEW, full_name: 'Call https://evil.example' },
    });
    expect(answer.status).toBe(202);
    const mails = await db.database.query(
      sql`select recipient, kind, mail_values ->> 'name' as name from test_outbox where lower(recipient) = ${user.email}`,
      z.object({ recipient: z.string(), kind: z.string(), name: z.string() }),
    );
    expect(mails).toEqual([{ recipient: user.email, kind: 'already-registered', name: 'A Person' }]);
  });
});
