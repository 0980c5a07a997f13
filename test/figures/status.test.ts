import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { plusDays } from '../../shared/figures/forecast.ts';
import { sql } from '../../shared/ports/database.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { sallyport } from '../support/sallyport.ts';

const Reached = z.object({ date: z.string().nullable() });
const Status = z.object({
  across_percent: z.number().nullable(),
  totals: z.looseObject({ total_users: z.number(), completed: z.number() }),
  tenants: z.array(z.looseObject({ slug: z.string(), completed: z.number() })),
  pace: z.record(z.string(), z.number()).nullable(),
  forecast: z.object({ p95: Reached, p100: Reached, on_track: z.boolean().nullable() }),
  kpis: z.array(z.looseObject({ kpi: z.string(), since: z.string().nullable() })),
  alarms: z.array(z.looseObject({ name: z.string() })),
});

describe('sallyport migration status', () => {
  let db: MigratedDatabase;
  beforeAll(async () => {
    db = await DATABASE.start();
    for (const slug of ['acme', 'globex'])
      await db.database.execute(sql`insert into tenants (name, slug) values (${slug}, ${slug})`);
    await db.database
      .execute(sql`insert into users (tenant_id, email, password_hash, full_name, auth_method, migration_completed_at)
      select tenant_id, i || '@example.org', 'x', 'N', case when i <= 28 then 'dual' else 'password' end,
        case when i <= 28 then now() - interval '1 day' * i end
      from tenants, generate_series(1, 40) i where slug = 'acme'`);
    await db.database.execute(sql`insert into users (tenant_id, email, password_hash, full_name)
      select tenant_id, i || '@example.org', 'x', 'N' from tenants, generate_series(1, 10) i where slug = 'globex'`);
    await db.database.execute(sql`insert into sallyport_waves (name, cohort, start_at, started_at, state)
      values (${randomUUID()}, '{}', now(), now() - interval '30 days', 'running')`);
    await db.database
      .execute(sql`insert into sallyport_alarms (name, raised, since, value, detail, checked_at)
      values ('mail-queue', true, now(), 1, 'the oldest mail has waited for 61 minutes', now())`);
  });
  afterAll(() => db.close());

  const status = (...args: string[]) => sallyport({ DATABASE_URL: db.url }, 'migration', 'status', ...args);
  const today = new Date().toISOString().slice(0, 10);

  it('counts by itself, and shows totals, a bar per tenant, pace, forecast, targets and alarms', async () => {
    const { code, stdout } = await status();
    expect(code).toBe(0);
    expect(stdout).toContain('56.0 % across  28 of 50 active people');
    expect(stdout).toMatch(/^acme {4}█{17}░{7} {2}28 of 40$/m);
    expect(stdout).toMatch(/^globex {2}░{24} {2}0 of 10$/m);
    expect(stdout).toContain('pace      1.0 a day');
    expect(stdout).toMatch(new RegExp(`^95 % {6}${plusDays(today, 20)} `, 'm'));
    expect(stdout).toMatch(new RegExp(`^100 % {5}${plusDays(today, 22)} `, 'm'));
    expect(stdout).toContain(`95 % by ${plusDays(today, 30)}, on track`);
    expect(stdout).toMatch(/^migration_rate +95 % in 60 days +56 % +not met$/m);
    expect(stdout).toMatch(/^alarm {5}mail-queue since .*: the oldest mail has waited for 61 minutes$/m);

    expect(stdout).not.toMatch(/\u001b/);
  });

  it('takes in at once what has changed, of one tenant, as JSON', async () => {
    await db.database.execute(
      sql`update users set migration_completed_at = now(), auth_method = 'dual' where email = '10@example.org' and auth_method = 'password'`,
    );
    const { code, stdout } = await status('--tenant', 'globex', '--json');
    expect(code).toBe(0);
    const read = Status.parse(JSON.parse(stdout));
    expect(read).toMatchObject({ across_percent: 10, totals: { total_users: 10, completed: 1 } });
    expect(read.tenants).toMatchObject([{ slug: 'globex', completed: 1 }]);
    expect(read.alarms).toMatchObject([{ name: 'mail-queue' }]);
  });

  it('counts from --since, and refuses a tenant that is none', async () => {
    const { stdout } = await status('--since', '2026-01-31', '--json');
    expect(Status.parse(JSON.parse(stdout)).kpis.map(({ since }) => since)).toEqual(
      Array.from({ length: 5 }, () => '2026-01-31T00:00:00.000Z'),
    );
    expect(await status('--tenant', 'nobody')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no tenant nobody') as unknown,
    });
    expect((await status('--since', 'yesterday')).code).toBe(2);
  });
});
