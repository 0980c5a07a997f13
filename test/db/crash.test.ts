import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Client } from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { times } from '../support/scale.ts';
import { readMigrations } from '../../cli/db/files.ts';
import { postgresMissing, sharedPostgres, type PostgresService } from '../services/postgres.ts';
import { cli, connect, makeLegacy, MIGRATIONS, spawnCli } from './support.ts';

const MANY_LINKED = `insert into tenants (name, slug) values ('t', 't');
  insert into users (tenant_id, email, password_hash, kanidm_user_id)
  select tenant_id, n || '@example.org', 'x', lpad(n::text, 32, '0')::uuid from tenants, generate_series(1, 3000) n`;

/** A trigger that stops at one row of the third batch until the test lets go of its advisory lock. */
const STOP_AT_2500 = `
  create function stand_still() returns trigger language plpgsql as
    'begin perform pg_advisory_xact_lock_shared(42); return new; end';
  create trigger stand_still before update on users for each row
    when (new.email = '2500@example.org') execute function stand_still();
  select pg_advisory_lock(42)`;

/** Each puts an obstacle where a migration then stands still, so that it can be killed right there. */
const OBSTACLES = [
  {
    where: 'while it waits for a lock',
    obstacle: 'begin; lock table users in access share mode',
    standing: `select 1 from pg_stat_activity where query like '%DROP NOT NULL%' and wait_event_type = 'Lock'`,
  },
  {
    where: 'in the middle of the backfill',
    obstacle: STOP_AT_2500,
    standing: `select 1 from users having count(*) filter (where auth_method = 'kanidm') = 2000`,
  },
  {
    where: 'while it builds an index',
    obstacle: 'begin isolation level repeatable read; select 1',
    standing: `select 1 from pg_index where not indisvalid`,
  },
] as const;

describe.skipIf(postgresMissing)('a migration that is cut off (needs the postgresql package)', () => {
  let service: PostgresService;
  let url: string;
  let watcher: Client;
  beforeAll(async () => {
    service = await sharedPostgres();
  });
  beforeEach(async () => {
    url = await service.createDatabase('crash');
    await makeLegacy(url);
    watcher = await connect(url);
    await watcher.query(MANY_LINKED);
  });
  afterEach(() => watcher.end());

  const becomesTrue = (question: string): Promise<unknown> =>
    vi.waitUntil(async () => ((await watcher.query(question).catch(() => undefined))?.rowCount ?? 0) > 0, {
      timeout: 600_000,
      interval: 10,
    });

  it.each(OBSTACLES.slice(0, times(OBSTACLES.length, 1)))(
    'killed $where goes on to the promised schema',
    async ({ obstacle, standing }) => {
      expect((await cli(url, 'baseline')).code).toBe(0);
      const disturber = await connect(url);
      await disturber.query(obstacle);
      const victim = spawnCli(url, ['migrate', '--lock-timeout', '60000']);
      await becomesTrue(standing);
      victim.kill('SIGKILL');
      await once(victim, 'exit');
      await disturber.end();

      const again = await cli(url, 'migrate', '--json');
      expect(again).toMatchObject({ code: 0 });
      expect(JSON.parse(again.stdout)).toMatchObject({
        applied: expect.arrayContaining(['20250110000015_add_migration_tracking.sql']) as unknown,
      });
      expect((await cli(url, 'verify')).stdout).toContain('as the migrations promise');
      const { rows } = await watcher.query('select auth_method, count(*)::int from users group by 1');
      expect(rows).toEqual([{ auth_method: 'kanidm', count: 3000 }]);
    },
  );

  it('interrupted by Ctrl-C ends its statement, says how to go on, and exits with 130', async () => {
    await cli(url, 'baseline');
    const disturber = await connect(url);
    await disturber.query(OBSTACLES[0].obstacle);
    const child = spawnCli(url, ['migrate', '--lock-timeout', '60000']);
    const said = text(child.stderr!);
    await becomesTrue(OBSTACLES[0].standing);
    child.kill('SIGINT');
    await once(child, 'exit');
    expect(child.exitCode).toBe(130);
    expect(await said).toContain('run `sallyport db migrate` again');
    await becomesTrue(`select 1 having not exists (${OBSTACLES[0].standing})`);
    await disturber.end();
  });

  it('two runs at once run every file once', async () => {
    await cli(url, 'baseline');
    const runs = await Promise.all([cli(url, 'migrate', '--json'), cli(url, 'migrate', '--json')]);
    expect(runs.map(({ code }) => code)).toEqual([0, 0]);
    const applied = runs.flatMap(({ stdout }) => (JSON.parse(stdout) as { applied: string[] }).applied);
    const names = (await readMigrations(MIGRATIONS)).map(({ name }) => name);
    expect(applied.sort()).toEqual(names.slice(13));
  });

  it('a run that may not wait for another one refuses and names it', async () => {
    await cli(url, 'baseline');
    const disturber = await connect(url);
    await disturber.query(OBSTACLES[0].obstacle);
    const first = spawnCli(url, ['migrate', '--lock-timeout', '60000']);
    await becomesTrue(OBSTACLES[0].standing);
    const second = await cli(url, 'migrate', '--wait', '0');
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/another run holds the lock \(backend \d+/);
    await disturber.end();
    await once(first, 'exit');
    expect(first.exitCode).toBe(0);
  });
});
