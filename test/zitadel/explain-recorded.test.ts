import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { explain, type ExplainOptions } from '../../cli/zitadel/names/explain.ts';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import { sql } from '../../shared/ports/database.ts';
import type { MadeZitadel } from './made.ts';
import { recordedLines, recordedMissing, recordedZitadel } from './recorded.ts';

const Exchange = z.object({
  note: z.string().default(''),
  request: z.object({ method: z.string(), path: z.string(), body: z.unknown() }),
  response: z.object({ status: z.number(), body: z.unknown() }),
});
const Sessions = z.object({ checks: z.object({ user: z.object({ loginName: z.string() }) }) });
const Search = z.object({
  queries: z.tuple([z.object({ loginNameQuery: z.object({ loginName: z.string(), method: z.string() }) })]),
});
const Found = z.object({ result: z.array(z.object({ userId: z.string() })).default([]) });
const ByName = z.object({ user: z.object({ id: z.string() }) });

/** Login names as they were at a moment: derived from the events up to then, by rules of their own. */
const AS_OF = (moment: string): string => `
  truncate projections.login_names3_users, projections.login_names3_domains, projections.login_names3_policies;
  create temporary view past as select * from eventstore.events2 where created_at <= '${moment}';
  insert into projections.login_names3_users (id, user_name, resource_owner, instance_id)
    select distinct on (aggregate_id) aggregate_id, payload ->> 'userName', owner, instance_id from past
    where aggregate_type = 'user' and payload ? 'userName'
      and aggregate_id not in (select aggregate_id from past where event_type = 'user.removed')
      and owner not in (select aggregate_id from past where event_type = 'org.removed')
    order by aggregate_id, sequence desc;
  insert into projections.login_names3_domains (name, is_primary, resource_owner, instance_id)
    select v.payload ->> 'domain', v.payload ->> 'domain' = (
        select p.payload ->> 'domain' from past p where p.aggregate_id = v.aggregate_id and p.event_type = 'org.domain.primary.set'
        order by p.sequence desc limit 1), v.aggregate_id, v.instance_id
    from past v where v.event_type = 'org.domain.verified'
      and v.aggregate_id not in (select aggregate_id from past where event_type = 'org.removed');
  insert into projections.login_names3_policies (must_be_domain, is_default, resource_owner, instance_id)
    select distinct on (aggregate_id) coalesce((payload ->> 'userLoginMustBeDomain')::boolean, false), aggregate_type = 'instance',
      aggregate_id, instance_id
    from past where event_type in ('instance.policy.domain.added', 'org.policy.domain.added')
      and (aggregate_type = 'instance' or aggregate_id not in (
        select r.aggregate_id from past r where r.event_type = 'org.policy.domain.removed'))
    order by aggregate_id, sequence desc`;

/** Where the recording says that the e-mail of its user was changed by SQL, and where not yet: an update leaves no event. */
const MAIL_OF_SEED = (email: string): string => `
  update projections.users14_humans set email = '${email}' where user_id = '401534970272680998';
  update projections.users14_notifications set last_email = 'admin.lnb@one-b.localhost', verified_email = 'admin.lnb@one-b.localhost'
  where user_id = '401534970272680998'`;

/** The last moment that an answer names: what was written before it counts. */
function latest(now: string, body: unknown): string {
  const moments = JSON.stringify(body ?? null).match(/"20\d\d-[^"]+Z"/g) ?? [];
  return [now, ...moments.map((text) => text.slice(1, -1))].sort().at(-1) ?? now;
}

describe.skipIf(recordedMissing)(
  'explain beside a recorded Zitadel v4 (needs ../shared/recordings and Postgres)',
  () => {
    let zitadel: MadeZitadel;
    beforeAll(async () => {
      zitadel = await recordedZitadel();
    });
    afterAll(() => zitadel.close());

    const ask = (input: string, options: ExplainOptions = {}) =>
      explain(input, { database: zitadel.url, ...options });
    const named = async (input: string): Promise<string[]> =>
      (await ask(input)).candidates.flatMap(({ id, rule, matched }) =>
        matched && rule === 'login_name' && id ? [id] : [],
      );

    it('finds by e-mail whom the API found, before and after one was changed by SQL', async () => {
      const Query = z.object({
        request: z.object({
          body: z.object({
            queries: z.tuple([z.object({ emailQuery: z.object({ emailAddress: z.string() }) })]),
          }),
        }),
        response: z.object({ body: Found }),
      });
      const Changed = z.object({ seedSql: z.string() });
      await zitadel.run(MAIL_OF_SEED('admin.lnb@one-b.localhost'));
      const found: string[][] = [];
      for (const line of recordedLines('06-login-names.jsonl')) {
        if (Changed.safeParse(line).success) await zitadel.run(MAIL_OF_SEED('dev@vellandi.example'));
        const query = Query.safeParse(line);
        if (!query.success) continue;
        const { request, response } = query.data;
        const { candidates } = await ask(request.body.queries[0].emailQuery.emailAddress, { login: 'v2' });
        const ids = candidates.flatMap(({ id, rule }) => (rule === 'email' && id !== null ? [id] : []));
        expect(ids.sort()).toEqual(response.body.result.map(({ userId }) => userId).sort());
        found.push(ids);
      }
      expect(found.map(({ length }) => length)).toEqual([1, 0, 2]);
    });

    it('comes to the same as every exchange about login names', async () => {
      let now = '2026-11-28T01:31:00Z';
      let asOf = '';
      let compared = 0;
      for (const line of recordedLines('06-login-names.jsonl')) {
        const exchange = Exchange.safeParse(line);
        if (!exchange.success) continue;
        const { request, response, note } = exchange.data;
        const sessions = Sessions.safeParse(request.body);
        const search = Search.safeParse(request.body);
        if (!sessions.success && !search.success) {
          if (request.method !== 'GET') now = latest(now, response.body);
          if (!request.path.includes('_by_login_name')) continue;
        }
        if (asOf !== now) await zitadel.run(AS_OF(now));
        asOf = now;
        const where = `${note} at ${now}`;
        compared += 1;
        if (sessions.success) {
          const hits = await named(sessions.data.checks.user.loginName);
          expect(hits.length, where).toBe(response.status === 201 ? 1 : 0);
        } else if (search.success) {
          const [query] = search.data.queries;
          const found = Found.parse(response.body).result.map(({ userId }) => userId);
          const { loginName, method } = query.loginNameQuery;
          const exact = method === 'TEXT_QUERY_METHOD_EQUALS';
          const hits = await named(loginName);
          if (!exact) expect(hits, where).toEqual(found);
          else if (found.length > 0) expect(hits, where).toEqual(found);
          else if (hits.length > 0)
            expect(
              (await ask(loginName)).traps.map(({ trap }) => trap),
              where,
            ).toContain('case');
        } else {
          const loginName = decodeURIComponent(request.path.split('loginName=')[1] ?? '');
          const user = ByName.safeParse(response.body);
          expect(await named(loginName), where).toEqual(user.success ? [user.data.user.id] : []);
        }
      }
      expect(compared).toBeGreaterThan(100);
    });

    it('comes to the same as the built-in sign-in page, also after the e-mail was changed by the API', async () => {
      await zitadel.run(AS_OF('2026-11-28T01:39:00Z'));
      const Page = z.object({ name: z.string(), title: z.string(), passwordAsked: z.boolean() });
      const Mailed = z.object({
        request: z.object({ path: z.string(), body: z.object({ email: z.string() }) }),
      });
      const pages: string[] = [];
      for (const line of recordedLines('06b-login-ui-v1.jsonl')) {
        const mailed = Mailed.safeParse(line);
        if (mailed.success) {
          const { path, body } = mailed.data.request;
          await zitadel.run(`update projections.users14_humans set email = '${body.email}' where user_id = '${path.split('/')[3]}';
          update projections.users14_notifications set last_email = '${body.email}', verified_email = '${body.email}'
          where user_id = '${path.split('/')[3]}'`);
        }
        const page = Page.safeParse(line);
        if (!page.success) continue;
        const { name, title, passwordAsked } = page.data;
        pages.push(name);
        const answer = await ask(name, { login: 'v1' });
        expect(answer.signs_in_as.length === 1, name).toBe(passwordAsked);
        expect(answer.outcome === 'registration', name).toBe(title === 'Registration Options');
      }
      expect(pages).toHaveLength(11);
    });

    it('has the login names that the view of the release itself has', async () => {
      const session = await openPgSession(zitadel.url);
      const rows = await session.query(
        sql`select login_name, user_id from projections.login_names3 where login_name like '%.ln_%' order by 1`,
        z.object({ login_name: z.string(), user_id: z.string() }),
      );
      await session.close();
      expect(rows.length).toBeGreaterThan(5);
      for (const { login_name, user_id } of rows)
        expect(await named(login_name), login_name).toEqual([user_id]);
    });
  },
);
