import type { Client } from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { FULL } from '../support/scale.ts';
import { baseline } from '../../cli/db/baseline.ts';
import { readExpected } from '../../cli/db/expected.ts';
import { readMigrations } from '../../cli/db/files.ts';
import { migrate } from '../../cli/db/migrate.ts';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import { postgresMissing, sharedPostgres, type PostgresService } from '../services/postgres.ts';
import { connect, makeLegacy, MIGRATIONS, options } from './support.ts';

const USERS = 200_000;
/** A statement of the application that waits longer than this for any lock fails, and with it the test. */
const PATIENCE = `lock_timeout = '1s'`;

const FILL = `
  insert into tenants (name, slug) select 't' || n, 't' || n from generate_series(1, 20) n;
  insert into users (tenant_id, email, password_hash, kanidm_user_id, kanidm_synced_at)
    select tenant_id, n || '@example.org', 'x', case when n % 4 = 0 then gen_random_uuid() end,
      case when n % 4 = 0 then now() end
    from generate_series(1, ${USERS}) n join tenants on slug = 't' || (n % 20 + 1);
  insert into sessions (user_id, tenant_id, access_token_hash, refresh_token_hash,
      access_token_expires_at, refresh_token_expires_at)
    select user_id, tenant_id, 'a', 'r', now(), now() from users limit 20000;
  analyze`;

/** One sign-in, as the application did it before it knew of any migration; transactions of several statements. */
async function signIn(client: Client, round: number): Promise<void> {
  const email = `${(round * 7919) % USERS}@example.org`;
  await client.query('begin');
  const { rows } = await client.query<{ user_id: string; tenant_id: string }>(
    'select user_id, tenant_id, password_hash from users where email = $1 and tenant_id in (select tenant_id from tenants)',
    [email],
  );
  for (const { user_id, tenant_id } of rows) {
    await client.query('update users set last_login_at = now() where user_id = $1', [user_id]);
    await client.query(
      `insert into sessions (user_id, tenant_id, access_token_hash, refresh_token_hash,
         access_token_expires_at, refresh_token_expires_at) values ($1, $2, 'a', 'r', now(), now())`,
      [user_id, tenant_id],
    );
  }
  await client.query('commit');
}

async function look(client: Client, round: number): Promise<void> {
  await client.query(
    'select count(*) from users where tenant_id = (select tenant_id from tenants where slug = $1)',
    [`t${(round % 20) + 1}`],
  );
  await client.query('select s.* from sessions s join users u using (user_id) where s.session_id = $1', [
    '018f0000-0000-7000-8000-000000000001',
  ]);
}

/** Does `work` over and over until told to stop; resolves to the rounds done, rejects at the first refusal. */
function keepBusy(client: Client, work: (client: Client, round: number) => Promise<void>) {
  const state = { stopped: false };
  let rounds = 0;
  const done = (async () => {
    for (; !state.stopped; rounds += 1) await work(client, rounds);
    return rounds;
  })();
  done.catch(() => undefined);
  return {
    rounds: () => rounds,
    stop: () => {
      state.stopped = true;
      return done;
    },
  };
}

describe.skipIf(postgresMissing || !FULL)('migrating under load (needs the postgresql package)', () => {
  let service: PostgresService;
  beforeAll(async () => {
    service = await sharedPostgres();
  });

  it(`keeps no reader or writer of ${USERS} users waiting for a lock, and moves every linked user`, async () => {
    const url = await service.createDatabase('live');
    await makeLegacy(url);
    const admin = await connect(url);
    await admin.query(FILL);
    const session = await openPgSession(url);
    const files = await readMigrations(MIGRATIONS);
    await baseline(session, files, await readExpected(MIGRATIONS), options);

    const clients = await Promise.all([
      connect(url, PATIENCE),
      connect(url, PATIENCE),
      connect(url, PATIENCE),
    ]);
    const [first, second, third] = clients;
    const busy = [
      keepBusy(first, signIn),
      keepBusy(second, (c, n) => signIn(c, n + 31)),
      keepBusy(third, look),
    ];
    const during = new Map<string, number>();
    let before = 0;
    const rounds = (): number => busy.reduce((sum, worker) => sum + worker.rounds(), 0);
    await migrate(session, files, {
      ...options,
      lockTimeoutMs: 100,
      onStart: () => {
        before = rounds();
      },
      onDone: ({ name }) => during.set(name, rounds() - before),
    });

    const done = await Promise.all(busy.map((worker) => worker.stop()));
    for (const count of done) expect(count).toBeGreaterThan(0);
    expect(during.get('20250110000015_add_migration_tracking.sql')).toBeGreaterThan(10);
    const { rows } =
      await admin.query(`select auth_method, kanidm_user_id is not null as linked, count(*)::int as users
      from users group by 1, 2 order by 1`);
    expect(rows).toEqual([
      { auth_method: 'kanidm', linked: true, users: USERS / 4 },
      { auth_method: 'password', linked: false, users: (USERS * 3) / 4 },
    ]);
    await Promise.all([...clients, admin].map((client) => client.end()));
    await session.close();
  });

  it('would catch a migration that is not safe: the plain form of the same change keeps writers waiting', async () => {
    const url = await service.createDatabase('unsafe');
    await makeLegacy(url);
    const admin = await connect(url);
    await admin.query(FILL);
    const writer = await connect(url, `lock_timeout = '1ms'`);
    await admin.query(`begin; alter table users add column auth_method varchar(50) not null default 'password';
      update users set auth_method = 'kanidm' where kanidm_user_id is not null`);
    await expect(signIn(writer, 4)).rejects.toMatchObject({ code: '55P03' });
    await admin.query('rollback');
    await Promise.all([admin.end(), writer.end()]);
  });
});
