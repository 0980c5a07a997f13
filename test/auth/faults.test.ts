import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { Border, type Fate } from '../support/border.ts';
import { crossToPostgres } from '../support/crossing-postgres.ts';
import type { Crossing } from '../support/crossing.ts';
import { expectRefusal } from '../support/refusal.ts';
import { startCounted, type Counted } from './counted.ts';
import { makeUser, PASSWORD, userRow, type MadeUser } from './people.ts';
import { bearer, Pair } from './suite.ts';

const postgres = DATABASES[1];
const FATES: readonly Fate[] = ['lost', 'unanswered', 'answered'];
const NEW = 'three plain words';
/** More than any step sends. */
const MOST_CALLS = 12;

describe.skipIf(postgres.missing)('the database away at any call (needs the postgresql package)', () => {
  let db: MigratedDatabase;
  let auth: Counted;
  let crossing: Crossing;
  const border = new Border();
  beforeAll(async () => {
    db = await postgres.start();
    crossing = await crossToPostgres(db.url, border);
    auth = await startCounted(crossing.url);
  });
  afterAll(async () => {
    await auth.close();
    await crossing.close();
    await db.close();
  });

  const login = (user: MadeUser, password = PASSWORD) =>
    auth.post('login', { tenant: user.slug, email: user.email, password });
  const signIn = async (user: MadeUser) => Pair.parse(await (await login(user)).json());

  /** Takes the database away at each call of a step in turn, in each way; `after` looks at what is left once it is back. */
  async function atEachCall<T>(
    prepare: () => Promise<T>,
    step: (prepared: T) => Promise<Response>,
    after: (prepared: T, answer: Response) => Promise<void>,
  ): Promise<void> {
    let met = 0;
    for (const fate of FATES) {
      for (let at = 1; at <= MOST_CALLS; at += 1) {
        const prepared = await prepare();
        border.arm(at, fate, () => {
          crossing.cut();
        });
        const answer = await step(prepared);
        const { struck } = border;
        border.disarm();
        await crossing.settled();
        if (!struck) {
          await after(prepared, answer);
          break;
        }
        met += 1;
        await crossing.mend();
        // Connections that were cut are noticed one by one.
        await vi.waitUntil(() => auth.pings(), { timeout: 600_000, interval: 5 });
        if (answer.status >= 500) await expectRefusal(answer.clone(), 'database_unavailable');
        await after(prepared, answer);
      }
    }
    expect(met).toBeGreaterThan(3);
  }

  it('a sign-in is 503 or done, and works when the database is back', async () => {
    await atEachCall(
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
    await atEachCall(
      () => makeUser(db.database),
      (user) => login(user, 'wrong'),
      async (user, answer) => {
        expect([401, 503]).toContain(answer.status);
        expect((await userRow(db.database, user.userId)).failed_login_attempts).toBeLessThanOrEqual(1);
      },
    );
  });

  it('a refresh whose answer was lost gives the same pair again, and the session goes on', async () => {
    await atEachCall(
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
    await atEachCall(
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
    await atEachCall(
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
