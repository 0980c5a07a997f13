import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { refreshFigures } from '../../shared/figures/refresh.ts';
import { sql } from '../../shared/ports/database.ts';
import { makeUser } from '../auth/people.ts';
import { bearer } from '../auth/suite.ts';
import { expectRefusal } from '../support/refusal.ts';
import { figuresSuite, SECRET } from './suite.ts';

figuresSuite('who may read figures', (stage) => {
  const ROUTES = ['overall', 'tenants', 'daily', 'pending', 'funnel'].flatMap((name) => [
    name,
    `${name}.csv`,
  ]);

  it.each(ROUTES)(
    '%s: a viewer of the feature sees it, an admin too, anybody else gets 403, nobody 401',
    async (route) => {
      expect((await stage.figures(route)).status).toBe(200);
      expect((await stage.figures(route, stage.admin)).status).toBe(200);
      await expectRefusal(await stage.figures(route, stage.member), 'forbidden');
      await expectRefusal(await stage.gateway.fetch(`/analytics/${route}`), 'missing_token');
      await expectRefusal(await stage.figures(route, 'no.such.token'), 'invalid_token');
    },
  );

  it('an admin sees the own tenant alone, whatever tenant is named', async () => {
    const other = await makeUser(stage.database);
    await refreshFigures(stage.database);
    expect((await stage.page('tenants', stage.admin)).rows.map(({ slug }) => slug)).toEqual([stage.own.slug]);
    expect(await stage.values('overall', stage.admin)).toMatchObject({ total_users: 2 });
    const people = (await stage.page('pending', stage.admin)).rows;
    expect(new Set(people.map(({ tenant }) => tenant))).toEqual(new Set([stage.own.slug]));
    for (const named of [other.slug, other.tenantId, 'no-such-tenant'])
      for (const route of ['overall', 'tenants', 'daily', 'pending', 'funnel'])
        await expectRefusal(await stage.figures(`${route}?tenant=${named}`, stage.admin), 'wrong_tenant');
    expect((await stage.figures(`overall?tenant=${stage.own.slug}`, stage.admin)).status).toBe(200);
    const ownCsv = await (await stage.figures('pending.csv', stage.admin)).text();
    expect(ownCsv).not.toContain(other.email);
  });

  it('a viewer may ask for one tenant, by slug or id; one that is none is 404', async () => {
    expect(await stage.values(`overall?tenant=${stage.own.slug}`)).toMatchObject({ total_users: 2 });
    expect(await stage.values(`overall?tenant=${stage.own.tenantId}`)).toMatchObject({ total_users: 2 });
    await expectRefusal(await stage.figures('overall?tenant=no-such-tenant'), 'not_found');
  });

  it('no verdict is 503, never the figures', async () => {
    stage.openfga.state = 'away';
    await expectRefusal(await stage.figures('overall'), 'authorization_unavailable');
    stage.openfga.state = 'up';
  });

  it('a session that has ended is refused at once', async () => {
    const user = await makeUser(stage.database, { tenant: stage.own, role: 'super_admin' });
    const theirs = await stage.token(user);
    expect((await stage.figures('overall', theirs)).status).toBe(200);
    expect((await stage.post('logout', {}, bearer(theirs))).status).toBe(204);
    await expectRefusal(await stage.figures('overall', theirs), 'invalid_token');
  });

  it('a session cookie counts, and one that ran out is renewed on the way, also where the answer is 403', async () => {
    for (const role of ['admin', 'user']) {
      const user = await makeUser(stage.database, { tenant: stage.own, role });
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
        tenant: stage.own.slug,
        at: '2026-03-01T10:00:00Z',
        subject: 'How do I sign in?',
      };
      expect((await post(ticket)).status).toBe(202);
      expect((await post(ticket)).status).toBe(200);
      const [kept] = await stage.database.query(
        sql`select tenant_id, subject, count(*) over ()::int as n from sallyport_tickets where id = ${ticket.id}`,
        z.object({ tenant_id: z.string(), subject: z.string(), n: z.number() }),
      );
      expect(kept).toEqual({ tenant_id: stage.own.tenantId, subject: ticket.subject, n: 1 });
      await expectRefusal(await post(ticket, 'another secret'), 'invalid_token');
      await expectRefusal(await post(ticket, null), 'missing_token');
    });

    it('that are none are refused, and say where', async () => {
      for (const body of [{}, { id: 'a', at: 'yesterday' }, { id: '', at: '2026-03-01T10:00:00Z' }, [], 'x'])
        await expectRefusal(await post(body), 'invalid_request');
      await expectRefusal(
        await post({ id: randomUUID(), at: '2026-03-01T10:00:00Z', tenant: 'none' }),
        'invalid_request',
      );
    });
  });
});
