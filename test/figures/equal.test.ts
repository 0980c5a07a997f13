import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { refreshFigures } from '../../shared/figures/refresh.ts';
import { readDaily, readOverall, readTenants } from '../../shared/figures/read.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { times } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';
import { QUERY, WORDS } from './queries.ts';

const [, POSTGRES] = DATABASES;

const QUERIES = [QUERY.overall, QUERY.tenants, QUERY.daily, QUERY.pending, WORDS] as const;

/** The database, with the queries that figures equal at the end of each transaction: in the very snapshot that a refresh has seen. */
function withQueries(database: Database) {
  const seen: { answers: readonly (readonly unknown[])[] } = { answers: [] };
  const wrapped: Pick<Database, 'query' | 'transaction'> = {
    query: (statement, row) => database.query(statement, row),
    async transaction(statements, options) {
      const results = await database.transaction([...statements, ...QUERIES], options);
      seen.answers = results.slice(statements.length).map(({ rows }) => rows);
      return results.slice(0, statements.length);
    },
  };
  return { wrapped, seen };
}

type Row = Readonly<Record<string, unknown>>;
const byName = (a: Row, b: Row): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
const number = (value: unknown): number | null => (value === null ? null : Number(value));
const rows = (answer: readonly unknown[] | undefined): Row[] =>
  z.array(z.record(z.string(), z.unknown())).parse(answer);

/** Holds what readers answer now against what the queries that figures equal answered. */
async function expectEqual(database: Database, answers: readonly (readonly unknown[])[]): Promise<void> {
  const [overall, tenants, daily, pending, words] = answers.map(rows);
  const numbers = (row: Row | undefined) =>
    Object.fromEntries(Object.entries(row ?? {}).map(([name, value]) => [name, number(value)]));
  const { values } = await readOverall(database, 'all');
  expect(values).toEqual({ ...numbers(overall?.[0]), ...numbers(words?.[0]) });

  const named = tenants?.map(({ tenant_name, ...counts }) => ({ tenant_name, ...numbers(counts) }));
  const shown = (await readTenants(database, 'all', { limit: 10_000 })).rows;
  expect(
    shown
      .map(({ tenant_name, password_users, kanidm_users, dual_users, migration_percent }) => ({
        ...{ tenant_name, password_users, kanidm_users, dual_users, migration_percent },
      }))
      .sort(byName),
  ).toEqual(named?.sort(byName));
  expect(shown.map((each) => each.migration_percent)).toEqual(
    shown.map((each) => each.migration_percent).toSorted((a, b) => b - a),
  );

  const days = (await readDaily(database, 'all', 30)).rows;
  expect(
    days
      .filter(({ users_migrated }) => users_migrated > 0)
      .map(({ migration_date, users_migrated }) => ({ migration_date, users_migrated })),
  ).toEqual(daily?.map((each) => ({ ...each, users_migrated: number(each['users_migrated']) })));

  const listed = await database.query(
    sql`select invited_at as migration_invited_at, nullif(seen_at, '-infinity') as last_login_at
        from sallyport_figures_people where counted and auth_method = 'password' order by seen_at desc`,
    z.record(z.string(), z.unknown()),
  );
  expect(listed.map((each) => JSON.stringify(each)).sort()).toEqual(
    pending
      ?.map(({ migration_invited_at, last_login_at }) =>
        JSON.stringify({ migration_invited_at, last_login_at }),
      )
      .sort(),
  );
}

/** What an application does with its tables, in SQL of its own. */
const ANYBODY = '(select user_id from users order by random() limit 1)';
const A_TENANT = '(select tenant_id from tenants order by random() limit 1)';
const WHEN = "now() - interval '1 hour' * floor(random() * 24 * 400)";
const OPERATIONS: readonly string[] = [
  `insert into users (tenant_id, email, password_hash, last_login_at, created_at)
     select ${A_TENANT}, gen_random_uuid() || '@example.org', 'x', case when random() < 0.7 then ${WHEN} end, ${WHEN}
     from generate_series(1, 3) where exists (select from tenants)`,
  `insert into users (tenant_id, email, auth_method, migration_completed_at, kanidm_user_id)
     select tenant_id, gen_random_uuid() || '@example.org', 'kanidm', ${WHEN}, gen_random_uuid() from tenants order by random() limit 1`,
  `update users set auth_method = (array['password','dual','kanidm'])[1 + floor(random() * 3)::int] where user_id = ${ANYBODY}`,
  `update users set migration_completed_at = case when random() < 0.6 then ${WHEN} end where user_id in (select user_id from users order by random() limit 4)`,
  `update users set migration_invited_at = ${WHEN}, last_login_at = case when random() < 0.8 then ${WHEN} end where user_id = ${ANYBODY}`,
  `update users set deleted_at = case when deleted_at is null then now() end where user_id = ${ANYBODY}`,
  `update users set status = case status when 'active' then 'suspended' else 'active' end where user_id = ${ANYBODY}`,
  `update users set kanidm_user_id = case when kanidm_user_id is null then gen_random_uuid() end where user_id = ${ANYBODY}`,
  `update users set tenant_id = ${A_TENANT} where user_id = ${ANYBODY}`,
  `update users set last_login_at = now() where tenant_id = ${A_TENANT}`,
  `delete from users where user_id = ${ANYBODY}`,
  `delete from users where user_id in (select user_id from users order by random() limit 5)`,
  `insert into tenants (name, slug) select 'T' || s, s from (select gen_random_uuid()::text as s) x`,
  `update tenants set name = name || '+' where tenant_id = ${A_TENANT}`,
  `delete from tenants where tenant_id = ${A_TENANT} and (select count(*) from tenants) > 4 and random() < 0.3`,
  `insert into sallyport_people (user_id, excluded_at, flags)
     select user_id, case when random() < 0.5 then now() end, case when random() < 0.5 then '{"unreachable": true}'::jsonb else '{}' end
     from users order by random() limit 2
   on conflict (user_id) do update set excluded_at = excluded.excluded_at, flags = excluded.flags`,
  `delete from sallyport_people where user_id = ${ANYBODY}`,
  `insert into sallyport_links (issuer, subject, user_id, via) select 'https://idp.example.org', gen_random_uuid(), user_id, 'test' from users order by random() limit 1`,
  `delete from sallyport_links where user_id = (select user_id from sallyport_links order by random() limit 1)`,
  `update users set user_id = gen_random_uuid() where user_id = (select user_id from users u
     where not exists (select from sessions s where s.user_id = u.user_id) and not exists (select from sallyport_people p where p.user_id = u.user_id)
       and not exists (select from sallyport_links l where l.user_id = u.user_id) order by random() limit 1)`,
];

/** Transactions of one connection, some of them rolled back, some held open while others commit. */
async function write(url: string, seed: number, progress: { done: number; over: boolean }): Promise<void> {
  const random = seeded(seed);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    while (!progress.over) {
      const isolation = ['read committed', 'repeatable read'][random(2)] ?? '';
      await client.query(`begin isolation level ${isolation}; set local deadlock_timeout = '50ms'`);
      try {
        for (let more = 1 + random(4); more > 0; more -= 1) {
          await client.query(OPERATIONS[random(OPERATIONS.length)] ?? '');
          // Open for as long as others need for some transactions of theirs, as far as there are others.
          if (random(6) === 0) {
            const until = progress.done + 4;
            for (let turns = 0; progress.done < until && turns < 50; turns += 1)
              await client.query('select 1');
          }
        }
        await client.query(random(8) === 0 ? 'rollback' : 'commit');
      } catch (error) {
        // Deadlocks, serialization failures and violations of what another one has changed: as in any application.
        if (!(error instanceof pg.DatabaseError)) throw error;
        await client.query('rollback');
      }
      progress.done += 1;
    }
  } finally {
    await client.end();
  }
}

describe.skipIf(POSTGRES.missing)('figures while an application writes by its own SQL (Postgres)', () => {
  let db: MigratedDatabase;
  beforeAll(async () => {
    db = await POSTGRES.start();
    await db.database.execute(
      sql`insert into tenants (name, slug) select 'Tenant ' || i, 'tenant-' || i from generate_series(1, 8) i`,
    );
    await db.database
      .execute(sql`insert into users (tenant_id, email, password_hash, last_login_at, created_at)
      select tenant_id, 'p' || i || '@example.org', 'x', now() - interval '1 day' * (i % 400), now() - interval '500 days'
      from generate_series(1, 60) i cross join (select tenant_id from tenants) t`);
  });
  afterAll(() => db.close());

  it('equal the queries in the snapshot of each refresh, to the last user', async () => {
    const { wrapped, seen } = withQueries(db.another());
    const progress = { done: 0, over: false };
    const writers = Promise.all([11, 22, 33, 44, 55].map((seed) => write(db.url, seed, progress)));
    try {
      for (let checked = 0; checked < times(300, 30); checked += 1) {
        // So few at once that some refreshes take several transactions, between which the application goes on.
        const { state } = await refreshFigures(wrapped, { atOnce: [100, 500, 5_000][checked % 3] ?? 100 });
        expect(state).toBe('current');
        await expectEqual(db.database, seen.answers);
      }
    } finally {
      progress.over = true;
      await writers;
    }
    expect(progress.done).toBeGreaterThan(30);
    await refreshFigures(wrapped);
    await expectEqual(db.database, seen.answers);
  });

  it('are counted anew after TRUNCATE, and after a tenant is deleted with all its people', async () => {
    const { wrapped, seen } = withQueries(db.another());
    await db.database.execute(
      sql`delete from tenants where tenant_id = (select tenant_id from tenants limit 1)`,
    );
    await refreshFigures(wrapped);
    await expectEqual(db.database, seen.answers);
    await db.database.execute(sql`truncate users cascade`);
    await refreshFigures(wrapped, { atOnce: 50 });
    await expectEqual(db.database, seen.answers);
    expect((await readOverall(db.database, 'all')).values).toMatchObject({
      total_users: 0,
      migration_percent: null,
    });
  });
});
