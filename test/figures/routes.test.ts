import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { refreshFigures } from '../../shared/figures/refresh.ts';
import { sql } from '../../shared/ports/database.ts';
import { makeTenant, makeUser, type MadeUser } from '../auth/people.ts';
import { authSuite, bearer, signIn } from '../auth/suite.ts';
import { expectRefusal } from '../support/refusal.ts';

const SECRET = 'secret-of-mail-events-and-tickets';
const Page = z.object({
  as_of: z.string().nullable(),
  rows: z.array(z.record(z.string(), z.unknown())),
  next: z.string().nullable(),
});
const Values = z.object({ as_of: z.string().nullable(), values: z.record(z.string(), z.unknown()) });

authSuite(
  'figures',
  { variables: () => ({ FUNCTIONS: 'auth,analytics', MAIL_EVENTS_SECRET: SECRET }) },
  (stage) => {
    let viewer: string;
    let admin: string;
    let member: string;
    let own: { tenantId: string; slug: string };
    const token = async (user: MadeUser) => (await signIn(stage, user)).access_token;
    const get = (path: string, who = viewer) =>
      stage.gateway.fetch(`/analytics/${path}`, { headers: bearer(who) });
    const page = async (path: string, who = viewer) => Page.parse(await (await get(path, who)).json());
    const values = async (path: string, who = viewer) =>
      Values.parse(await (await get(path, who)).json()).values;

    beforeAll(async () => {
      const seeing = await makeUser(stage.database);
      const { OPENFGA_STORE_ID: store = '' } = stage.variables;
      const tuple = {
        user: `user:${seeing.userId}`,
        relation: 'viewer',
        object: 'feature:migration_figures',
      };
      const written = await fetch(`${stage.openfga.url}/stores/${store}/write`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ writes: { tuple_keys: [tuple] } }),
      });
      expect(written.status).toBe(200);
      own = await makeTenant(stage.database);
      viewer = await token(seeing);
      admin = await token(await makeUser(stage.database, { tenant: own, role: 'admin' }));
      member = await token(await makeUser(stage.database, { tenant: own }));
      await refreshFigures(stage.database);
    });

    describe('access', () => {
      const ROUTES = ['overall', 'tenants', 'daily', 'pending', 'funnel'].flatMap((name) => [
        name,
        `${name}.csv`,
      ]);

      it.each(ROUTES)(
        '%s: a viewer of the feature sees it, an admin too, anybody else gets 403, nobody 401',
        async (route) => {
          expect((await get(route)).status).toBe(200);
          expect((await get(route, admin)).status).toBe(200);
          await expectRefusal(await get(route, member), 'forbidden');
          await expectRefusal(await stage.gateway.fetch(`/analytics/${route}`), 'missing_token');
          await expectRefusal(await get(route, 'no.such.token'), 'invalid_token');
        },
      );

      it('an admin sees the own tenant alone, whatever tenant is named', async () => {
        const other = await makeUser(stage.database);
        await refreshFigures(stage.database);
        expect((await page('tenants', admin)).rows.map(({ slug }) => slug)).toEqual([own.slug]);
        expect(await values('overall', admin)).toMatchObject({ total_users: 2 });
        const people = (await page('pending', admin)).rows;
        expect(new Set(people.map(({ tenant }) => tenant))).toEqual(new Set([own.slug]));
        for (const named of [other.slug, other.tenantId, 'no-such-tenant'])
          for (const route of ['overall', 'tenants', 'daily', 'pending', 'funnel'])
            await expectRefusal(await get(`${route}?tenant=${named}`, admin), 'wrong_tenant');
        expect((await get(`overall?tenant=${own.slug}`, admin)).status).toBe(200);
        const ownCsv = await (await get('pending.csv', admin)).text();
        expect(ownCsv).not.toContain(other.email);
      });

      it('a viewer may ask for one tenant, by slug or id; one that is none is 404', async () => {
        expect(await values(`overall?tenant=${own.slug}`)).toMatchObject({ total_users: 2 });
        expect(await values(`overall?tenant=${own.tenantId}`)).toMatchObject({ total_users: 2 });
        await expectRefusal(await get('overall?tenant=no-such-tenant'), 'not_found');
      });

      it('no verdict is 503, never the figures', async () => {
        stage.openfga.state = 'away';
        await expectRefusal(await get('overall'), 'authorization_unavailable');
        stage.openfga.state = 'up';
      });

      it('a session that has ended is refused at once', async () => {
        const user = await makeUser(stage.database, { tenant: own, role: 'super_admin' });
        const theirs = await token(user);
        expect((await get('overall', theirs)).status).toBe(200);
        expect((await stage.post('logout', {}, bearer(theirs))).status).toBe(204);
        await expectRefusal(await get('overall', theirs), 'invalid_token');
      });

      it('a session cookie counts, and one that ran out is renewed on the way, also where the answer is 403', async () => {
        for (const role of ['admin', 'user']) {
          const user = await makeUser(stage.database, { tenant: own, role });
          const body = {
            tenant: user.slug,
            email: user.email,
            password: 'correct horse battery',
            cookie: true,
          };
          const signedIn = await stage.post('login', body, { 'sec-fetch-site': 'same-origin' });
          const cookies = signedIn.headers.getSetCookie().map((each) => each.split(';', 1)[0] ?? '');
          stage.secrets.push(...cookies.map((each) => each.slice(each.lastIndexOf('.') + 1)));
          const refresh = cookies.filter((each) => !each.startsWith('sallyport='));
          const answer = await stage.gateway.fetch('/analytics/overall', {
            headers: { cookie: refresh.join('; '), 'sec-fetch-site': 'same-origin' },
          });
          expect(answer.status).toBe(role === 'admin' ? 200 : 403);
          expect(answer.headers.getSetCookie().length).toBeGreaterThan(1);
        }
      });
    });

    it('say with the figures when they were true, and null for the share of nobody', async () => {
      const { tenantId } = await makeTenant(stage.database);
      const answer = await get(`overall?tenant=${tenantId}`);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      const { as_of, values: of } = Values.parse(await answer.json());
      expect(of).toMatchObject({ total_users: 0, migration_percent: null, as_of });
      const [state] = await stage.database.query(
        sql`select as_of from sallyport_figures_state`,
        z.object({ as_of: z.date() }),
      );
      expect(as_of).toBe(state?.as_of.toISOString());
    });

    it('daily: days of UTC with zeros, sign-ins and refusals of the day', async () => {
      const { rows } = await page('daily?days=3');
      const today = new Date().toISOString().slice(0, 10);
      expect(rows.length).toBe(4);
      expect(rows[0]).toMatchObject({ migration_date: today });
      expect(rows[3]).toMatchObject({ users_migrated: 0, invited: 0, oauth_logins: 0, oauth_failures: 0 });
      expect(Number(rows[0]?.['password_logins'])).toBeGreaterThanOrEqual(3);
      expect((await page('daily')).rows.length).toBe(31);
      for (const days of ['0', '-1', 'x', '99999', ''])
        await expectRefusal(await get(`daily?days=${days}`), 'invalid_request');
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
        sql`last_login_at = now() - interval '3 hours', kanidm_user_id = user_id, migration_invited_at = now()`,
      );
      await at(made[3], sql`last_login_at = now(), migration_completed_at = now(), auth_method = 'dual'`);
      await at(made[4], sql`status = 'suspended'`);
      await stage.database.execute(
        sql`insert into sallyport_people (user_id, excluded_at, excluded_reason, flags) values
          (${made[5]?.userId ?? ''}, now(), 'a robot', '{}'), (${made[6]?.userId ?? ''}, null, null, '{"unreachable": true}')`,
      );
      await refreshFigures(stage.database);
      const all: Record<string, unknown>[] = [];
      for (let cursor = ''; ;) {
        const { rows, next } = await page(`pending?tenant=${tenant.slug}&limit=2${cursor}`);
        all.push(...rows);
        if (next === null) break;
        cursor = `&cursor=${next}`;
      }
      expect(all.slice(0, 3).map(({ email, state }) => ({ email, state }))).toEqual([
        { email: made[0]?.email, state: 'not_invited' },
        { email: made[1]?.email, state: 'provisioned' },
        { email: made[2]?.email, state: 'invited' },
      ]);
      expect(new Set(all.map(({ user_id }) => user_id)).size).toBe(6);
      expect(all.length).toBe(6);
      const why = Object.fromEntries(all.map(({ user_id, why: reason }) => [user_id, reason]));
      expect(why[made[4]?.userId ?? '']).toContain('suspended');
      expect(why[made[5]?.userId ?? '']).toBe('excluded: a robot');
      expect(why[made[6]?.userId ?? '']).toContain('no mail');
      const list = async (state: string) =>
        (await page(`pending?tenant=${tenant.slug}&state=${state}`)).rows.map(({ email }) => email);
      expect(await list('completed')).toEqual([made[3]?.email]);
      expect(await list('excluded')).toEqual([made[5]?.email]);
      expect(await list('unreachable')).toEqual([made[6]?.email]);
      expect(await list('password')).toHaveLength(6);
      await expectRefusal(await get('pending?state=lost'), 'invalid_request');
      for (const cursor of ['x', 'W10', Buffer.from('["now; drop","x"]').toString('base64url')])
        await expectRefusal(await get(`pending?cursor=${cursor}`), 'invalid_request');
    });

    it('pending.csv: all pages with one header, formulas as text, quotes doubled', async () => {
      const tenant = await makeTenant(stage.database);
      const names = ['=1+1', '+4', '-5', '@x', '\t=2', 'a "b", c', 'plain', ' =9'];
      await stage.database.execute(sql`insert into users (tenant_id, email, password_hash, full_name)
        select ${tenant.tenantId}::uuid, gen_random_uuid() || '@example.org', 'x', name from unnest(${names}::text[]) name`);
      await stage.database.execute(sql`insert into users (tenant_id, email, password_hash, full_name)
        select ${tenant.tenantId}::uuid, i || '@example.net', 'x', 'N' from generate_series(1, 2500) i`);
      await refreshFigures(stage.database);
      const answer = await get(`pending.csv?tenant=${tenant.slug}`);
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
      const { rows } = await page('tenants?limit=1000');
      expect(rows.some(({ slug }) => slug === empty.slug)).toBe(false);
      const paged: unknown[] = [];
      for (let cursor = ''; ;) {
        const { rows: some, next } = await page(`tenants?limit=2${cursor}`);
        paged.push(...some);
        if (next === null) break;
        cursor = `&cursor=${next}`;
      }
      expect(paged).toEqual(rows);
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
        expect((await page(`funnel?${query}`)).rows).toEqual(expected);
      await expectRefusal(await get('funnel?wave=none'), 'not_found');
      await stage.database.execute(sql`delete from sallyport_waves where wave_id = ${wave?.id ?? ''}::uuid`);
      await refreshFigures(stage.database);
      expect((await page(`funnel?tenant=${tenant.slug}`)).rows[0]).toMatchObject({
        count: 0,
        rate: null,
        median_days: null,
      });
    });

    describe('tickets', () => {
      const post = (body: unknown, secret: string | null = SECRET) =>
        stage.gateway.fetch('/analytics/tickets', {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            ...(secret !== null && { authorization: `Bearer ${secret}` }),
          },
          body: JSON.stringify(body),
        });

      it('count once by their id, with the secret alone', async () => {
        const ticket = {
          id: randomUUID(),
          tenant: own.slug,
          at: '2026-03-01T10:00:00Z',
          subject: 'How do I sign in?',
        };
        expect((await post(ticket)).status).toBe(202);
        expect((await post(ticket)).status).toBe(200);
        const [kept] = await stage.database.query(
          sql`select tenant_id, subject, count(*) over ()::int as n from sallyport_tickets where id = ${ticket.id}`,
          z.object({ tenant_id: z.string(), subject: z.string(), n: z.number() }),
        );
        expect(kept).toEqual({ tenant_id: own.tenantId, subject: ticket.subject, n: 1 });
        await expectRefusal(await post(ticket, 'another secret'), 'invalid_token');
        await expectRefusal(await post(ticket, null), 'missing_token');
      });

      it('that are none are refused, and say where', async () => {
        for (const body of [
          {},
          { id: 'a', at: 'yesterday' },
          { id: '', at: '2026-03-01T10:00:00Z' },
          [],
          'x',
        ])
          await expectRefusal(await post(body), 'invalid_request');
        await expectRefusal(
          await post({ id: randomUUID(), at: '2026-03-01T10:00:00Z', tenant: 'none' }),
          'invalid_request',
        );
      });
    });
  },
);
