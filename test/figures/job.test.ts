import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { rollupJob } from '../../functions/figures/function.ts';
import { refreshFigures } from '../../shared/figures/refresh.ts';
import { readDaily, readOverall, readTenants } from '../../shared/figures/read.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { makeTenant, makeUser } from '../auth/people.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';

const GATED = new URL('../../migrations/gated/20250199999999_remove_password_auth.sql', import.meta.url);
const RUN = { signal: new AbortController().signal, dryRun: false };
const Count = z.object({ n: z.number() });

async function script(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

const usersOf = async (database: Database) => (await readOverall(database, 'all')).values.total_users;

async function waiting(database: Database): Promise<number> {
  const [row] = await database.query(
    sql`select (select count(*) from sallyport_changes)::int + (select count(*) from sallyport_figures_deltas)::int as n`,
    Count,
  );
  return row?.n ?? -1;
}

async function sessions(database: Database, userId: string, method: string, many: number): Promise<void> {
  await database.execute(sql`insert into sessions (user_id, tenant_id, access_token_expires_at, refresh_token_expires_at, auth_method)
    select user_id, tenant_id, now(), now(), ${method}::text from users cross join generate_series(1, ${many}::int) where user_id = ${userId}::uuid`);
}

const logins = async (database: Database) => {
  const { password_logins, oauth_logins } = (await readDaily(database, 'all', 1)).rows[0] ?? {};
  return { password_logins, oauth_logins };
};

describe.each(kindsOf(DATABASES))('figures-rollup ($name)', ({ missing, start }) => {
  describe.skipIf(missing)('keeps the figures', () => {
    let db: MigratedDatabase;
    beforeEach(async () => {
      db = await start();
    });
    afterEach(() => db.close());

    it('and counts of token checks for 400 days, whether figures are shown or not', async () => {
      for (const figuresWanted of [true, false]) {
        await db.database.execute(sql`delete from sallyport_token_checks`);
        await db.database.execute(sql`insert into sallyport_token_checks (day, bucket, n)
          select (now() at time zone 'UTC')::date - ago, 1, 1 from unnest(array[0, 399, 402]) ago`);
        await rollupJob({ figuresWanted }, db.database).run(RUN);
        expect(await db.database.execute(sql`select from sallyport_token_checks`)).toBe(2);
      }
    });

    it('for the first time in pieces, over runs that are cut off; nothing is shown before the end', async () => {
      const tenant = await makeTenant(db.database);
      for (let i = 0; i < 9; i += 1) await makeUser(db.database, { tenant });
      let runs = 0;
      for (let state = ''; state !== 'current'; runs += 1) {
        const stop = new AbortController();
        const cutOff: Pick<Database, 'query' | 'transaction'> = {
          query: (statement, row) => db.database.query(statement, row),
          transaction: async (...given) => {
            stop.abort();
            return db.database.transaction(...given);
          },
        };
        const before = await readOverall(db.database, 'all');
        expect(before).toMatchObject({ as_of: null, values: { total_users: 0 } });
        expect((await readTenants(db.database, 'all', { limit: 10 })).rows).toEqual([]);
        ({ state } = await refreshFigures(cutOff, { signal: stop.signal, atOnce: 4 }));
      }
      expect(runs).toBeGreaterThan(4);
      expect(await usersOf(db.database)).toBe(9);
      expect((await readTenants(db.database, 'all', { limit: 10 })).rows).toMatchObject([
        { slug: tenant.slug, password_users: 9 },
      ]);
    });

    it('each session once: those from before they were noted, those noted before the first run, and those since', async () => {
      const { userId } = await makeUser(db.database);
      await db.database.execute(sql`alter table sessions disable trigger user`);
      await sessions(db.database, userId, 'jwt', 5);
      await sessions(db.database, userId, 'kanidm', 2);
      await db.database.execute(sql`alter table sessions enable trigger user`);
      await sessions(db.database, userId, 'jwt', 3);
      await refreshFigures(db.database, { atOnce: 2 });
      expect(await logins(db.database)).toEqual({ password_logins: 8, oauth_logins: 2 });
      await sessions(db.database, userId, 'kanidm', 4);
      await refreshFigures(db.database);
      await db.database.execute(sql`delete from sessions`);
      await refreshFigures(db.database);
      expect(await logins(db.database)).toEqual({ password_logins: 8, oauth_logins: 6 });
    });

    it('who falls asleep as time passes counts as dormant, and wakes with a sign-in', async () => {
      const { userId } = await makeUser(db.database);
      const dormant = async () => (await readOverall(db.database, 'all')).values.dormant;
      await refreshFigures(db.database);
      expect(await dormant()).toBe(0);
      // As if it had been counted half a year ago.
      await db.database.execute(
        sql`update sallyport_figures_people set awake_at = now() - interval '181 days'`,
      );
      await refreshFigures(db.database);
      expect(await dormant()).toBe(1);
      await db.database.execute(sql`update users set last_login_at = now() where user_id = ${userId}::uuid`);
      await refreshFigures(db.database);
      expect(await dormant()).toBe(0);
    });

    it('where nothing shows them, changes do not pile up; sign-ins are counted, and everybody once somebody wants them', async () => {
      const off = rollupJob({ figuresWanted: false }, db.database);
      const on = rollupJob({ figuresWanted: true }, db.database);
      const { userId } = await makeUser(db.database);
      await sessions(db.database, userId, 'jwt', 2);
      await off.run(RUN);
      expect(await waiting(db.database)).toBe(0);
      await on.run(RUN);
      expect(await usersOf(db.database)).toBe(1);
      expect(await logins(db.database)).toEqual({ password_logins: 2, oauth_logins: 0 });
      await makeUser(db.database);
      await sessions(db.database, userId, 'jwt', 1);
      await off.run(RUN);
      expect(await waiting(db.database)).toBe(0);
      expect(await usersOf(db.database)).toBe(1);
      expect(await on.run(RUN)).toMatchObject({ state: 'current' });
      expect(await usersOf(db.database)).toBe(2);
      expect(await logins(db.database)).toEqual({ password_logins: 3, oauth_logins: 0 });
      expect(await on.run({ ...RUN, dryRun: true })).toEqual({ changes: 0, wanted: true });
    });

    it('after the clean-up they stay as they were and are readable; with the columns back everybody is counted', async () => {
      const tenant = await makeTenant(db.database);
      const made = await makeUser(db.database, {
        tenant,
        authMethod: 'dual',
        kanidmUserId: '0190a0a0-0000-7000-8000-000000000001',
      });
      await refreshFigures(db.database);
      const before = await readOverall(db.database, 'all');
      await script(db.url, await readFile(GATED, 'utf8'));
      await db.database.execute(sql`insert into users (tenant_id, email, kanidm_user_id) values
        (${tenant.tenantId}::uuid, 'new@example.org', gen_random_uuid())`);
      await db.database.execute(
        sql`update users set last_login_at = now() where user_id = ${made.userId}::uuid`,
      );
      expect(await rollupJob({ figuresWanted: true }, db.database).run(RUN)).toEqual({
        state: 'frozen',
        people: 0,
      });
      expect(await readOverall(db.database, 'all')).toEqual(before);
      expect((await readDaily(db.database, 'all', 30)).rows).toHaveLength(31);
      expect(await waiting(db.database)).toBe(0);
      await script(
        db.url,
        `alter table users add auth_method text not null default 'kanidm', add migration_invited_at timestamptz, add migration_completed_at timestamptz`,
      );
      expect(await refreshFigures(db.database)).toMatchObject({ state: 'current' });
      expect((await readOverall(db.database, 'all')).values).toMatchObject({
        total_users: 2,
        kanidm_only: 2,
        dual_auth: 0,
      });
    });
  });
});

const [, POSTGRES] = DATABASES;

describe.skipIf(POSTGRES.missing)('changes of people (Postgres)', () => {
  let db: MigratedDatabase;
  beforeEach(async () => {
    db = await POSTGRES.start();
  });
  afterEach(() => db.close());

  it('are noted for a role that may write users and nothing of ours, and by tables of ours alone', async () => {
    const { userId } = await makeUser(db.database);
    await refreshFigures(db.database);
    const role = `legacy_${userId.replaceAll('-', '')}`;
    try {
      await script(
        db.url,
        `create role ${role}; grant select, insert, update, delete on users, sessions to ${role};
         begin; set local role ${role}; create temp table sallyport_changes (user_id uuid);
         update users set auth_method = 'dual' where user_id = '${userId}';
         do $$ begin assert (select count(*) from pg_temp.sallyport_changes) = 0; end $$; commit`,
      );
    } finally {
      await script(db.url, `drop owned by ${role}; drop role ${role}`);
    }
    await refreshFigures(db.database);
    expect((await readOverall(db.database, 'all')).values).toMatchObject({ dual_auth: 1, password_only: 0 });
  });

  it('taken in by two refreshes at a time count once', async () => {
    const tenant = await makeTenant(db.database);
    const others = [db.another(), db.another(), db.another()];
    for (let round = 1; round <= 5; round += 1) {
      for (let i = 0; i < 3; i += 1) await makeUser(db.database, { tenant });
      const outcomes = await Promise.allSettled(others.map((each) => refreshFigures(each, { atOnce: 2 })));
      expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
      await refreshFigures(db.database);
      expect(await usersOf(db.database)).toBe(round * 3);
    }
  });
});
