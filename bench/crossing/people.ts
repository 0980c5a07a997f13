import { migrate } from '../../dev/migrate.ts';
import { refreshFigures } from '../../shared/figures/refresh.ts';
import { openDatabase, openGround } from '../../shared/deps.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { timed } from '../lifecycle/sides.ts';
import type { PostgresServer } from '../servers/stores.ts';

/** Users in one statement, which has seconds. */
const AT_ONCE = 50_000;
const TENANTS = 2_000;

export interface Population {
  readonly database: Database;
  readonly users: number;
  /** Milliseconds of the first count of all users. */
  readonly firstMs: number;
}

/** A legacy application's users in the middle of their move, and the figures of them. */
export async function openPopulation(postgres: PostgresServer, users: number): Promise<Population> {
  const url = postgres.createDatabase(`people_${users}`);
  await migrate(url);
  const database = openDatabase(
    { database: { kind: 'url', url, endpoint: null } },
    openGround({ logLevel: 'silent' }),
  );
  if (database === null) throw new Error('the bench needs a database');
  await database.execute(
    sql`insert into tenants (name, slug) select 'Tenant ' || i, 'tenant-' || i from generate_series(1, ${TENANTS}::int) i`,
  );
  // They were there before anything noted what changes.
  await database.execute(sql`alter table users disable trigger user`);
  for (let from = 0; from < users; from += AT_ONCE)
    await makeUsers(database, from, Math.min(AT_ONCE, users - from));
  await database.execute(sql`alter table users enable trigger user`);
  await database.execute(sql`analyze users`);
  const firstMs = await timed(async () => {
    await refreshFigures(database);
  });
  for (const table of [
    sql`sallyport_figures_people`,
    sql`sallyport_figures_days`,
    sql`sallyport_figures_totals`,
  ])
    await database.execute(sql`analyze ${table}`);
  return { database, users, firstMs };
}

/** Of ten: six by password, three by both doors, one by the provider; a third has completed within 60 days. */
async function makeUsers(database: Database, from: number, count: number): Promise<void> {
  await database.execute(sql`
    insert into users (user_id, tenant_id, email, password_hash, full_name, auth_method, kanidm_user_id, migration_invited_at,
      migration_completed_at, last_login_at, created_at, deleted_at)
    select id, t.tenant_id, 'user-' || i || '@example.org', '$2b$12$' || repeat('a', 53), 'User ' || i,
      (array['password', 'password', 'password', 'password', 'password', 'password', 'dual', 'dual', 'dual', 'kanidm'])[1 + i % 10],
      case when i % 10 > 3 then id end,
      case when i % 10 > 4 then now() - interval '1 hour' * (24 * 20 + i % 1200) end,
      case when i % 10 > 6 then now() - interval '1 hour' * (i % 1440) end,
      case when i % 7 > 0 then now() - interval '1 minute' * (i % 576000) end,
      now() - interval '700 days', case when i % 50 = 0 then now() end
    from (select i, gen_random_uuid() as id from generate_series(${from}::int, ${from + count - 1}::int) i) x
      join (select tenant_id, row_number() over (order by slug) - 1 as n from tenants) t on t.n = x.i % ${TENANTS}::int`);
}

/** People spread over all, who sign in by the provider. */
export async function change(database: Database, people: number): Promise<void> {
  await database.execute(sql`
    update users set last_login_at = now(), auth_method = case auth_method when 'password' then 'dual' else auth_method end,
      migration_completed_at = coalesce(migration_completed_at, now())
    where user_id = any(array(
      select (select user_id from users where user_id >= r.at order by user_id limit 1)
      from (select gen_random_uuid() as at from generate_series(1, ${people}::int)) r
    ))`);
}
