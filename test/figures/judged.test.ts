import { randomUUID } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import * as z from 'zod';
import { plusDays } from '../../shared/figures/forecast.ts';
import { refreshFigures } from '../../shared/figures/refresh.ts';
import { sql } from '../../shared/ports/database.ts';
import { makeTenant } from '../auth/people.ts';
import { bearer } from '../auth/suite.ts';
import { expectRefusal } from '../support/refusal.ts';
import { figuresSuite, SECRET } from './suite.ts';

/** Of what takes milliseconds. */
const WATCHDOG = { timeout: 60_000, interval: 20 };

const Kpis = z.array(
  z.looseObject({
    kpi: z.string(),
    value: z.number().nullable(),
    met: z.boolean().nullable(),
    since: z.string().nullable(),
  }),
);
const Reached = z.object({
  date: z.string().nullable(),
  low: z.string().nullable(),
  high: z.string().nullable(),
});
const Forecast = z.object({
  p95: Reached,
  p100: Reached,
  on_track: z.boolean().nullable(),
  target: z.string().nullable(),
});

figuresSuite('the judgement', (stage) => {
  const kpis = async (query: string, who?: string) => {
    const { rows } = await stage.page(`kpis${query}`, who);
    return new Map(Kpis.parse(rows).map((row) => [row.kpi, row]));
  };
  const forecastOf = async (query: string, who?: string) =>
    Forecast.parse(await stage.values(`forecast${query}`, who));

  /** 40 people, of whom one a day has completed over the last 28 days; a wave of the tenant has run for 30. */
  const moving = async () => {
    const tenant = await makeTenant(stage.database);
    await stage.database
      .execute(sql`insert into users (tenant_id, email, password_hash, full_name, auth_method, migration_completed_at)
      select ${tenant.tenantId}::uuid, gen_random_uuid() || '@example.org', 'x', 'N', case when i <= 28 then 'dual' else 'password' end,
        case when i <= 28 then now() - interval '1 day' * i end from generate_series(1, 40) i`);
    await stage.database.execute(sql`insert into sallyport_waves (name, cohort, start_at, started_at, state)
      values (${randomUUID()}, jsonb_build_object('tenants', jsonb_build_array(${tenant.tenantId}::text)), now(), now() - interval '30 days', 'running')`);
    return tenant;
  };

  it('forecasts by the pace, from the start of the first wave of the tenant', async () => {
    const tenant = await moving();
    await refreshFigures(stage.database);
    const { p95, p100, on_track, target } = await forecastOf(`?tenant=${tenant.slug}`);
    const today = new Date().toISOString().slice(0, 10);
    expect(p95.date).toBe(plusDays(today, 10));
    expect(p100.date).toBe(plusDays(today, 12));
    expect((p100.low ?? '') <= (p100.date ?? '') && (p100.date ?? '') <= (p100.high ?? '')).toBe(true);
    expect(target).toBe(plusDays(today, 30));
    expect(on_track).toBe(true);
    expect((await forecastOf(`?tenant=${tenant.slug}&since=${plusDays(today, -70)}`)).on_track).toBe(false);
    const csv = (await (await stage.figures(`forecast.csv?tenant=${tenant.slug}`)).text()).split('\r\n');
    expect(csv).toEqual([
      'share,date,low,high,on_track,target',
      `95,${p95.date},${p95.low},${p95.high},true,${target}`,
      `100,${p100.date},${p100.low},${p100.high},,`,
      '',
    ]);
  });

  it('holds five figures against their targets, or says that there is no data', async () => {
    const tenant = await moving();
    await refreshFigures(stage.database);
    const before = await kpis(`?tenant=${tenant.slug}`);
    expect([...before.keys()]).toEqual([
      'migration_rate',
      'token_check_p99',
      'callback_errors',
      'satisfaction',
      'tickets',
    ]);
    expect(before.get('migration_rate')).toMatchObject({ value: 70, met: false, target: '95 % in 60 days' });
    expect(before.get('tickets')).toMatchObject({ value: 0, met: true });
    for (const empty of ['token_check_p99', 'callback_errors', 'satisfaction'])
      expect(before.get(empty)).toMatchObject({
        value: null,
        met: null,
        note: expect.stringMatching(/^no data: /) as unknown,
      });

    await stage.database
      .execute(sql`insert into sallyport_invitations (user_id, tenant_id, completed_at, ended_at)
      select user_id, tenant_id, now(), now() from users where tenant_id = ${tenant.tenantId}::uuid and migration_completed_at is not null limit 4`);
    await stage.database.execute(
      sql`update sallyport_invitations set survey_score = 5, survey_at = now() where tenant_id = ${tenant.tenantId}::uuid`,
    );
    await stage.database.execute(
      sql`update sallyport_invitations set survey_score = 1 where tenant_id = ${tenant.tenantId}::uuid`,
    );
    await stage.database
      .execute(sql`insert into sessions (tenant_id, user_id, auth_method, access_token_expires_at, refresh_token_expires_at)
      select tenant_id, user_id, 'kanidm', now(), now() from users
      where tenant_id = ${tenant.tenantId}::uuid limit 3`);
    await stage.database.execute(sql`insert into sallyport_audit (who, what, source, subject, detail)
      select 'x', 'sign_in_refused', 'cli', user_id, '{"by": "kanidm"}' from users where tenant_id = ${tenant.tenantId}::uuid limit 1`);
    for (let i = 0; i < 10; i += 1)
      await stage.gateway.fetch('/analytics/tickets', {
        method: 'POST',
        headers: { authorization: `Bearer ${SECRET}`, 'content-type': 'application/json' },
        body: JSON.stringify({ id: randomUUID(), tenant: tenant.slug, at: new Date().toISOString() }),
      });
    await refreshFigures(stage.database);
    const after = await kpis(`?tenant=${tenant.slug}`);
    expect(after.get('satisfaction')).toMatchObject({ value: 5, met: true, note: '4 answers' });
    expect(after.get('callback_errors')).toMatchObject({ value: 25, met: false });
    expect(after.get('tickets')).toMatchObject({ value: 10, met: false });
    const tomorrow = plusDays(new Date().toISOString().slice(0, 10), 1);
    const later = await kpis(`?tenant=${tenant.slug}&since=${tomorrow}`);
    expect(later.get('tickets')).toMatchObject({ value: 0, met: true, since: `${tomorrow}T00:00:00.000Z` });
    expect(later.get('callback_errors')).toMatchObject({ value: null });
    const csv = await (await stage.figures(`kpis.csv?tenant=${tenant.slug}`)).text();
    expect(csv.split('\r\n')[0]).toBe('kpi,target,target_value,unit,value,met,since,note');
    expect(csv).toContain('\r\ntickets,< 10,10,tickets,10,false,');
  });

  it('counts how long the gateway takes to check a token, over all instances', async () => {
    expect((await stage.gateway.fetch('/me', { headers: bearer(stage.viewer) })).status).toBe(200);
    // The first one of a process is written at once, behind its answer.
    await vi.waitFor(async () => {
      expect((await kpis('')).get('token_check_p99')?.value).toBeGreaterThanOrEqual(0);
    }, WATCHDOG);
    await stage.database.execute(
      sql`insert into sallyport_token_checks (day, bucket, n) values ((now() at time zone 'UTC')::date, 20, 980)`,
    );
    expect((await kpis('')).get('token_check_p99')).toMatchObject({ met: true, unit: 'ms' });
    await stage.database.execute(
      sql`insert into sallyport_token_checks (day, bucket, n) values ((now() at time zone 'UTC')::date, 45, 20)`,
    );
    const { value, met } = (await kpis('')).get('token_check_p99') ?? {};
    expect(met).toBe(false);
    // The bucket ends at 100 ms * 2^(5/4).
    expect(value).toBeGreaterThan(200);
    expect(value).toBeLessThan(238);
    await stage.database.execute(sql`delete from sallyport_token_checks`);
  });

  it('an admin sees what is judged of the own tenant, nobody else anything', async () => {
    const own = await forecastOf('', stage.admin);
    expect(own).toEqual(await forecastOf(`?tenant=${stage.own.slug}`));
    for (const route of ['kpis', 'kpis.csv', 'forecast', 'forecast.csv']) {
      await expectRefusal(await stage.figures(route, stage.member), 'forbidden');
      await expectRefusal(await stage.figures(`${route}?tenant=elsewhere`, stage.admin), 'wrong_tenant');
    }
    expect((await kpis('', stage.admin)).get('token_check_p99')).toMatchObject({ value: null });
  });

  it('takes a day or a time for the start, and nothing else', async () => {
    for (const since of ['2027-01-31', '2027-01-31T12:00:00Z'])
      expect((await stage.figures(`kpis?since=${since}`)).status).toBe(200);
    for (const since of ['', 'x', '2027-02-30', '60', '2027-01-31T12:00:00'])
      for (const route of ['kpis', 'forecast'])
        await expectRefusal(await stage.figures(`${route}?since=${since}`), 'invalid_request');
  });
});
