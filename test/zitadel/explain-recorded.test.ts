// Long because each trap is made in a real database, beside the exchanges of the recordings.
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

    describe('with each trap made by SQL', () => {
      const INSTANCE = '401533973655718950';
      const GADGETBOT = '401533973655784486';
      const ONE_B = '401534933094370342';
      const [one, two, machine] = ['401535333180640294', '401535333180771366', '401533973656308774'];
      const mail = (id: string, address: string, verified = address): string =>
        `update projections.users14_humans set email = '${address}', is_email_verified = ${verified === address} where user_id = '${id}';
         update projections.users14_notifications set last_email = '${address}', verified_email = nullif('${verified}', '') where user_id = '${id}';`;
      const name = (id: string, to: string): string =>
        `update projections.users14 set username = '${to}' where id = '${id}';
         update projections.login_names3_users set user_name = '${to}' where id = '${id}';`;
      const state = (id: string, to: number): string =>
        `update projections.users14 set state = ${to} where id = '${id}';`;
      const event = (type: string, aggregate: string, id: string, payload: object): string =>
        `insert into eventstore.events2 select '${INSTANCE}', '${aggregate}', '${id}', '${type}', 900, 2, now(), '${JSON.stringify(payload)}', 'made', '${GADGETBOT}',
           (select min("position") from projections.current_states where projection_name in ('projections.users14', 'projections.login_names3')), 0;`;
      const policy = (columns: string, values: string): string =>
        `insert into projections.login_policies5 (aggregate_id, instance_id, creation_date, change_date, sequence, is_default, allow_register, allow_username_password,
           allow_external_idps, force_mfa, force_mfa_local_only, passwordless_type, hide_password_reset, ignore_unknown_usernames, allow_domain_discovery,
           password_check_lifetime, external_login_check_lifetime, mfa_init_skip_lifetime, second_factor_check_lifetime, multi_factor_check_lifetime, default_redirect_uri, ${columns})
         values ('${GADGETBOT}', '${INSTANCE}', now(), now(), 1, false, true, true, true, false, false, 1, false, false, true, 0, 0, 0, 0, 0, '', ${values});`;
      const BACK = `${name(one, 'mass.672200.0')} ${mail(one, 'mass.672200.0@example.com')} ${state(one, 1)}
        ${name(two, 'mass.672200.1')} ${mail(two, 'mass.672200.1@example.com')} ${state(two, 1)}
        delete from projections.login_policies5 where not is_default; delete from projections.login_names3_policies where not is_default;
        delete from eventstore.events2 where sequence = 900;`;
      const MUST_BE_DOMAIN = `insert into projections.login_names3_policies (must_be_domain, is_default, resource_owner, instance_id) values (true, false, '${GADGETBOT}', '${INSTANCE}');`;

      type Case = readonly [string, string, string, ExplainOptions, readonly string[], string | null];
      const CASES: readonly Case[] = [
        ['a verified e-mail', '', 'MASS.672200.0@Example.com', {}, [one], null],
        [
          'an e-mail of another user that is a username',
          name(two, 'mass.672200.0@example.com'),
          'mass.672200.0@example.com',
          {},
          [two],
          'another_users_email',
        ],
        ['an unverified e-mail', mail(one, 'new@x.example', ''), 'new@x.example', {}, [], 'unverified_email'],
        [
          'an unverified e-mail at Login v2',
          mail(one, 'new@x.example', ''),
          'new@x.example',
          { login: 'v2' },
          [one],
          'unverified_email',
        ],
        [
          'the old e-mail while a new one is not verified',
          mail(one, 'new@x.example', 'old@x.example'),
          'old@x.example',
          {},
          [one],
          'old_email_still_works',
        ],
        [
          'the new e-mail that is not verified',
          mail(one, 'new@x.example', 'old@x.example'),
          'new@x.example',
          {},
          [],
          'old_email_still_works',
        ],
        [
          'an e-mail that several have',
          mail(one, 'same@x.example') + mail(two, 'same@x.example'),
          'same@x.example',
          {},
          [],
          'several_hits',
        ],
        ['another case', name(one, 'Mass.Zero'), 'mass.zero', {}, [one], 'case'],
        ['the bare name under must_be_domain', MUST_BE_DOMAIN, 'mass.672200.0', {}, [], 'must_be_domain'],
        [
          'the whole name under must_be_domain',
          MUST_BE_DOMAIN,
          'mass.672200.0@gadgetbot.localhost',
          {},
          [one],
          null,
        ],
        [
          'the bare name in the scope of a domain',
          MUST_BE_DOMAIN,
          'mass.672200.0',
          { org: GADGETBOT, orgScope: 'domain' },
          [one],
          null,
        ],
        [
          'the whole name in the scope of a domain',
          MUST_BE_DOMAIN,
          'mass.672200.0@gadgetbot.localhost',
          { org: 'gadgetbot.localhost', orgScope: 'domain' },
          [],
          null,
        ],
        [
          'the bare name in the scope of an id',
          MUST_BE_DOMAIN,
          'mass.672200.0',
          { org: GADGETBOT, orgScope: 'id' },
          [],
          'must_be_domain',
        ],
        [
          'the whole name in the scope of an id',
          MUST_BE_DOMAIN,
          'mass.672200.0@gadgetbot.localhost',
          { org: GADGETBOT },
          [one],
          null,
        ],
        ['a name in the scope of another organisation', '', 'mass.672200.0', { org: ONE_B }, [], null],
        [
          'a name whose domain was claimed',
          '',
          '401534957354224678@temporary.localhost',
          {},
          ['401534957320670246'],
          'domain_claimed',
        ],
        [
          'a former name that somebody else has now',
          event('user.username.changed', 'user', two, { userName: 'elsewhere' }) +
            name(two, 'elsewhere') +
            name(one, 'mass.672200.1'),
          'mass.672200.1',
          {},
          [one],
          'old_name_taken',
        ],
        [
          'an e-mail where one organisation has switched that off',
          policy('disable_login_with_email, disable_login_with_phone', 'true, false'),
          'mass.672200.0@example.com',
          {},
          [],
          'email_login_off',
        ],
        [
          'a domain that was removed',
          event('org.domain.removed', 'org', GADGETBOT, { domain: 'gone.example' }),
          'mass.672200.0@gone.example',
          {},
          [],
          'removed_domain',
        ],
        [
          'a locked user whose suffix leads to registration',
          name(one, 'zero@gadgetbot.localhost') + state(one, 4),
          'zero@gadgetbot.localhost',
          {},
          [],
          'locked',
        ],
        ['a machine', '', 'sallyport-admin', {}, [], 'machine'],
      ];

      it.each(CASES)('%s', async (_name, change, input, options, ids, trap) => {
        await zitadel.run(change);
        try {
          const answer = await ask(input, options);
          expect(answer.signs_in_as, JSON.stringify(answer.candidates)).toEqual(ids);
          const traps = answer.traps.map((each) => each.trap).filter((each) => each !== 'release');
          expect(traps).toEqual(trap === null ? [] : [trap]);
        } finally {
          await zitadel.run(BACK);
        }
      });

      it('says that a machine passes the session and not the page', async () => {
        const { candidates } = await ask('sallyport-admin');
        expect(candidates).toMatchObject([{ id: machine, rule: 'login_name', matched: true }]);
        expect(candidates[0]?.why).toContain('sessions find it, but no page signs it in');
      });
    });

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
