import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { refreshFigures } from '../../shared/figures/refresh.ts';
import { sql } from '../../shared/ports/database.ts';
import { makeTenant, makeUser, type MadeUser } from '../auth/people.ts';
import { expectRefusal } from '../support/refusal.ts';
import { figuresSuite, Values } from './suite.ts';

figuresSuite('figures', (stage) => {
  it('say with the figures when they were true, and null for the share of nobody', async () => {
    const { tenantId } = await makeTenant(stage.database);
    const answer = await stage.figures(`overall?tenant=${tenantId}`);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const body: unknown = await answer.json();
    expect(Object.keys(body as object)).toEqual(['as_of', 'values', 'next']);
    expect(body).toMatchObject({ next: null });
    const { as_of, values: of } = Values.parse(body);
    expect(of).toMatchObject({ total_users: 0, migration_percent: null, as_of });
    const [state] = await stage.database.query(
      sql`select as_of from sallyport_figures_state`,
      z.object({ as_of: z.date() }),
    );
    expect(as_of).toBe(state?.as_of.toISOString());
    const [header] = (await (await stage.figures('overall.csv')).text()).split('\r\n');
    expect(header).toBe(
      'total_users,kanidm_only,dual_auth,password_only,migration_percent,provisioned,invited,completed,dormant,excluded,unreachable,as_of,active,settled',
    );
  });

  it('daily: days of UTC with zeros, sign-ins and refusals of the day', async () => {
    const { rows } = await stage.page('daily?days=3');
    const today = new Date().toISOString().slice(0, 10);
    expect(rows.length).toBe(4);
    expect(rows[0]).toMatchObject({ migration_date: today });
    expect(rows[3]).toMatchObject({ users_migrated: 0, invited: 0, oauth_logins: 0, oauth_failures: 0 });
    expect(Number(rows[0]?.['password_logins'])).toBeGreaterThanOrEqual(3);
    expect((await stage.page('daily')).rows.length).toBe(31);
    for (const days of ['0', '-1', 'x', '99999', ''])
      await expectRefusal(await stage.figures(`daily?days=${days}`), 'invalid_request');
  });

  it('pending: newest sign-in first, page by page, each person once, with state and reason', async () => {
    const tenant = await makeTenant(stage.database);
    const made: MadeUser[] = [];
    for (let i = 0; i < 7; i += 1) made.push(await makeUser(stage.database, { tenant }));
    const at = (user: MadeUser | undefined, change: ReturnType<typeof sql>) =>
      stage.database.execute(sql`update users set ${change} where user_id = ${user?.userId ?? ''}::uuid`);
    await at(made[0], sql`last_login_at = now() - interval '1 hour'`);
    await at(made[1], sql`last_login_at = now() - interval '2 hours', kanidm_user_id = user_id`);
    await at(
      made[2],
      sql`last_login_at = now() - interval '3 hours', kanidm_user_id = user_id, migration_invited_at = 'infinity'`,
    );
    await at(made[3], sql`last_login_at = now(), migration_completed_at = now(), auth_method = 'dual'`);
    await at(made[4], sql`status = 'suspended'`);
    await stage.database.execute(
      sql`insert into sallyport_people (user_id, excluded_at, excluded_reason, flags) values
          (${made[5]?.userId ?? ''}, now(), 'a robot', '{}'), (${made[6]?.userId ?? ''}, null, null, '{"unreachable": true}')`,
    );
    await stage.database.execute(
      sql`insert into sallyport_invitations (user_id, tenant_id, mailed_at, seen_at, unsubscribed_at)
        values (${made[2]?.userId ?? ''}, ${tenant.tenantId}, now(), now(), now())`,
    );
    await refreshFigures(stage.database);
    const all = await stage.allPages(`pending?tenant=${tenant.slug}&limit=2`);
    expect(all.slice(0, 3).map(({ email, state }) => ({ email, state }))).toEqual([
      { email: made[0]?.email, state: 'not_invited' },
      { email: made[1]?.email, state: 'provisioned' },
      { email: made[2]?.email, state: 'invited' },
    ]);
    expect(new Set(all.map(({ user_id }) => user_id)).size).toBe(6);
    expect(all.length).toBe(6);
    const why = (user: MadeUser | undefined) => all.find(({ user_id }) => user_id === user?.userId)?.['why'];
    expect(why(made[0])).toBe('no account at the provider yet');
    expect(why(made[1])).toBe('not invited yet');
    expect(why(made[2])).toBe('opened the invitation, did not go on; wants no reminders');
    expect(why(made[4])).toContain('suspended');
    expect(why(made[5])).toBe('excluded: a robot');
    expect(why(made[6])).toContain('no mail');
    const list = async (state: string) =>
      (await stage.page(`pending?tenant=${tenant.slug}&state=${state}`)).rows.map(({ email }) => email);
    expect(await list('completed')).toEqual([made[3]?.email]);
    expect(await list('excluded')).toEqual([made[5]?.email]);
    expect(await list('unreachable')).toEqual([made[6]?.email]);
    expect(await list('password')).toHaveLength(6);
    await expectRefusal(await stage.figures('pending?state=lost'), 'invalid_request');
    for (const cursor of ['x', 'W10', Buffer.from('["now; drop","x"]').toString('base64url')])
      await expectRefusal(await stage.figures(`pending?cursor=${cursor}`), 'invalid_request');
  });

  it('pending.csv: all pages with one header, formulas as text, quotes doubled', async () => {
    const tenant = await makeTenant(stage.database);
    const names = ['=1+1', '+4', '-5', '@x', '\t=2', 'a "b", c', 'plain', ' =9'];
    await stage.database.execute(sql`insert into users (tenant_id, email, password_hash, full_name)
        select ${tenant.tenantId}::uuid, gen_random_uuid() || '@example.org', 'x', name from unnest(${names}::text[]) name`);
    await stage.database.execute(sql`insert into users (tenant_id, email, password_hash, full_name)
        select ${tenant.tenantId}::uuid, i || '@example.net', 'x', 'N' from generate_series(1, 2500) i`);
    await refreshFigures(stage.database);
    const answer = await stage.figures(`pending.csv?tenant=${tenant.slug}`);
    expect(answer.headers.get('content-type')).toMatch(/^text\/csv; charset=utf-8/);
    expect(answer.headers.get('content-disposition')).toContain('attachment');
    const lines = (await answer.text()).split('\r\n');
    expect(lines[0]).toBe('email,full_name,last_login_at,migration_invited_at,state,why,tenant,user_id');
    expect(lines.length).toBe(1 + 2508 + 1);
    expect(new Set(lines).size).toBe(lines.length);
    const text = lines.join('\n');
    for (const escaped of [
      `,'=1+1,`,
      `,'+4,`,
      `,'-5,`,
      `,'@x,`,
      `,'\t=2,`,
      `,"a ""b"", c",`,
      `,plain,`,
      `,' =9,`,
    ])
      expect(text).toContain(escaped);
  });

  it('tenants: page by page, the furthest first, those without people left out', async () => {
    const empty = await makeTenant(stage.database);
    const { rows } = await stage.page('tenants?limit=1000');
    expect(rows.some(({ slug }) => slug === empty.slug)).toBe(false);
    expect(await stage.allPages('tenants?limit=2')).toEqual(rows);
  });

  it('funnel: each step counted, with its rate and the median of days; of one wave or of all', async () => {
    const tenant = await makeTenant(stage.database);
    const [wave] = await stage.database.query(
      sql`insert into sallyport_waves (name, cohort, start_at) values (${randomUUID()}, '{}', now()) returning wave_id as id, name`,
      z.object({ id: z.string(), name: z.string() }),
    );
    await stage.database
      .execute(sql`insert into sallyport_invitations (wave_id, user_id, tenant_id, mailed_at, delivered_at, seen_at, accepted_at)
        select ${wave?.id ?? ''}::uuid, gen_random_uuid(), ${tenant.tenantId}::uuid, now(), now(),
          case when i <= 3 then now() + interval '1 day' * i end, case when i = 1 then now() + interval '2 days' end
        from generate_series(1, 4) i`);
    await stage.database
      .execute(sql`update sallyport_invitations set completed_at = mailed_at + interval '3 days'
        where wave_id = ${wave?.id ?? ''}::uuid and accepted_at is not null`);
    await refreshFigures(stage.database);
    const expected = [
      { step: 'invited', count: 4, rate: 100, median_days: 0 },
      { step: 'delivered', count: 4, rate: 100, median_days: 0 },
      { step: 'seen', count: 3, rate: 75, median_days: 2 },
      { step: 'accepted', count: 1, rate: 25, median_days: 2 },
      { step: 'completed', count: 1, rate: 25, median_days: 3 },
    ];
    for (const query of [`wave=${wave?.name ?? ''}`, `wave=${wave?.id ?? ''}`, `tenant=${tenant.slug}`])
      expect((await stage.page(`funnel?${query}`)).rows).toEqual(expected);
    await expectRefusal(await stage.figures('funnel?wave=none'), 'not_found');
    await stage.database.execute(sql`delete from sallyport_waves where wave_id = ${wave?.id ?? ''}::uuid`);
    await refreshFigures(stage.database);
    expect((await stage.page(`funnel?tenant=${tenant.slug}`)).rows).toEqual(expected);
    const empty = await makeTenant(stage.database);
    expect((await stage.page(`funnel?tenant=${empty.slug}`)).rows[0]).toMatchObject({
      count: 0,
      rate: null,
      median_days: null,
    });
  });
});
