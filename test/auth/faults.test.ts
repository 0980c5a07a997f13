import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { expectRefusal } from '../support/refusal.ts';
import { startCounted, type Counted } from './counted.ts';
import { openSevered, type Severed } from './each-call.ts';
import { makeUser, PASSWORD, userRow, type MadeUser } from './people.ts';
import { bearer, Pair } from './suite.ts';

const postgres = DATABASES[1];
const NEW = 'three plain words';

describe.skipIf(postgres.missing)('the database away at any call (needs the postgresql package)', () => {
  let db: MigratedDatabase;
  let auth: Counted;
  let severed: Severed;
  beforeAll(async () => {
    db = await postgres.start();
    severed = await openSevered(db.url, () => auth.pings());
    auth = await startCounted(severed.url);
  });
  afterAll(async () => {
    await auth.close();
    await severed.close();
    await db.close();
  });

  const login = (user: MadeUser, password = PASSWORD) =>
    auth.post('login', { tenant: user.slug, email: user.email, password });
  const signIn = async (user: MadeUser) => Pair.parse(await (await login(user)).json());

  it('a sign-in is 503 or done, and works when the database is back', async () => {
    await severed.atEachCall(
      () => makeUser(db.database),
      (user) => login(user),
      async (user, answer) => {
        expect([200, 503]).toContain(answer.status);
        expect((await login(user)).status).toBe(200);
        expect(await userRow(db.database, user.userId)).toMatchObject({ failed_login_attempts: 0 });
      },
    );
  });

  it('a refused sign-in counts once or not at all, and never lets in', async () => {
    await severed.atEachCall(
      () => makeUser(db.database),
      (user) => login(user, 'wrong'),
      async (user, answer) => {
        expect([401, 503]).toContain(answer.status);
        expect((await userRow(db.database, user.userId)).failed_login_attempts).toBeLessThanOrEqual(1);
      },
    );
  });

  it('a refresh whose answer was lost gives the same pair again, and the session goes on', async () => {
    await severed.atEachCall(
      async () => signIn(await makeUser(db.database)),
      ({ refresh_token }) => auth.post('refresh', { refresh_token }),
      async ({ refresh_token }, answer) => {
        expect([200, 503]).toContain(answer.status);
        const again = await auth.post('refresh', { refresh_token });
        expect(again.status).toBe(200);
        const pair = Pair.parse(await again.json());
        if (answer.status === 200) expect(pair).toEqual(Pair.parse(await answer.json()));
        expect((await auth.get('me', bearer(pair.access_token))).status).toBe(200);
      },
    );
  });

  it('a sign-out that was not answered can be repeated until it is done', async () => {
    await severed.atEachCall(
      async () => signIn(await makeUser(db.database)),
      ({ access_token }) => auth.post('logout', {}, bearer(access_token)),
      async ({ access_token, refresh_token }, answer) => {
        expect([204, 503]).toContain(answer.status);
        expect([204, 401]).toContain((await auth.post('logout', {}, bearer(access_token))).status);
        await expectRefusal(await auth.post('refresh', { refresh_token }), 'invalid_refresh');
      },
    );
  });

  it('a new password counts, or the old one does: never both, never neither', async () => {
    await severed.atEachCall(
      async () => {
        const user = await makeUser(db.database);
        return { user, ...(await signIn(user)) };
      },
      ({ access_token }) =>
        auth.post('change-password', { current_password: PASSWORD, new_password: NEW }, bearer(access_token)),
      async ({ user }, answer) => {
        expect([204, 503]).toContain(answer.status);
        const fit = [(await login(user)).status, (await login(user, NEW)).status];
        expect(fit.sort()).toEqual([200, 401]);
        if (answer.status === 204) expect((await login(user, NEW)).status).toBe(200);
      },
    );
  });

  it('sessions of a sign-in that was not answered are ordinary rows, each with its family', async () => {
    const [row] = await db.database.query(
      sql`select count(*) as all, count(f.session_id) as families
          from sessions s left join sallyport_sessions f on f.session_id = s.session_id`,
      z.object({ all: z.number(), families: z.number() }),
    );
    expect(row!.families).toBe(row!.all);
    expect(row!.all).toBeGreaterThan(20);
  });
});
