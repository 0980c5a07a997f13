/** Long because a person has rows in every table, and each promise is kept at both providers. */
import { beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { sql, type Sql } from '../../shared/ports/database.ts';
import { isFailure } from '../../shared/ports/directory.ts';
import { syncGroups } from '../../shared/provisioning/groups.ts';
import { provision } from '../../shared/provisioning/provision.ts';
import { connect } from '../db/support.ts';
import { ALL, depsOf, groundOn, HASH } from '../provisioning/ground.ts';
import { PROVIDERS, type Provider } from '../provisioning/stand-ins.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { sallyport, type Variables } from '../support/sallyport.ts';

const SECRETS = ['the-content', 'the-token-hash', 'the-refresh-token', HASH];
const MAIL = 'alice@acme.example.org';
const Counted = z.object({ n: z.number() });

async function script(url: string, text: string): Promise<void> {
  const client = await connect(url);
  await client.query(text);
  await client.end();
}

/** One mode of each provider: what is erased there is an account by its id, in any mode. */
const EACH = PROVIDERS.filter((_, at) => at % 2 === 0);

describe.each(EACH)('one person, at %s', (_name, start) => {
  let provider: Provider;
  let db: MigratedDatabase;
  let id = '';
  beforeEach(async () => {
    [provider, db] = await Promise.all([start(), DATABASE.start()]);
    const { addTenant, addUser } = groundOn(db.database);
    await addTenant('acme');
    id = await addUser({ tenant: 'acme', email: MAIL });
    await addUser({ tenant: 'acme', email: 'bob@acme.example.org' });
    const deps = depsOf(db.database, provider.directory);
    await syncGroups(null, false, deps);
    await provision(ALL, deps);
    for (const statement of everywhere(id)) await db.database.execute(statement);
    expect(await account()).toBe(1);
    return () => Promise.all([provider.close(), db.close()]);
  });

  const run = (line: string, more: Variables = {}) =>
    sallyport({ DATABASE_URL: db.url, ...provider.variables, ...more }, ...line.split(' '));
  const json = async (line: string) => {
    const answer = await run(line);
    return { code: answer.code, ...(JSON.parse(answer.stdout) as Record<string, unknown>) };
  };
  const count = async (query: Sql) => (await db.database.query(query, Counted))[0]!.n;
  const account = async () => {
    const found = await provider.directory.find([id]);
    return isFailure(found) ? undefined : found.people.length;
  };
  /** Tables whose rows hold the address, the name or the id of the person anywhere. */
  const holding = async (text: string) => {
    const tables = await db.database.query(
      sql`select c.relname::text as name from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by 1`,
      z.object({ name: z.string() }),
    );
    const found: string[] = [];
    for (const { name } of tables) {
      const rows = await db.database.query(
        sql`select query_to_xml(format('select count(*) as n from %I t where t::text ilike %L', ${name}::text, ${`%${text}%`}::text), false, true, '')::text as xml`,
        z.object({ xml: z.string() }),
      );
      if (!rows[0]!.xml.includes('<n>0</n>')) found.push(name);
    }
    return found;
  };

  it('dossier prints everything that is held, and nothing that lets anybody in', async () => {
    const { code, stdout } = await run(`users dossier ${MAIL}`);
    expect(code).toBe(0);
    const dossier = JSON.parse(stdout) as Record<string, unknown[]>;
    expect(dossier).toMatchObject({
      user_id: id,
      user: { email: MAIL, tenant: { slug: 'acme' } },
      provider: { state: 'found' },
    });
    for (const [what, n] of [
      ['sessions', 1],
      ['links', 1],
      ['marks', 1],
      ['mails', 1],
      ['invitations', 1],
      ['invitation_steps', 1],
      ['registrations', 1],
      ['password_resets', 1],
      ['mail_suppressions', 1],
      ['accounts_known_by_events', 1],
      ['events', 1],
      ['ledger', 1],
    ] as const)
      expect([what, dossier[what]?.length]).toEqual([what, n]);
    expect(dossier['audit']?.length).toBeGreaterThan(1);
    for (const secret of SECRETS) expect(stdout).not.toContain(secret);
    expect(await run('users dossier nobody@example.org')).toMatchObject({ code: 1 });
  });

  it('forget says first what it then does, and leaves ids in the audit, the ledger and the figures alone', async () => {
    const before = await holding(MAIL);
    expect(before.length).toBeGreaterThan(4);
    const preview = await json(`users forget ${MAIL} --dry-run --json`);
    expect(preview).toMatchObject({ code: 0, dry_run: true, row: 'removed' });
    expect((await run(`users forget ${MAIL}`)).code).toBe(1);
    expect(await holding(MAIL)).toEqual(before);
    const done = await json(`users forget ${MAIL} --yes --json`);
    expect(done).toEqual({ ...preview, dry_run: false, forgotten: true });
    expect(await account()).toBe(0);
    for (const text of [MAIL, 'Name of', '203.0.113.7', 'my survey', 'because'])
      expect(
        await holding(text).then((names) => names.filter((name) => text !== 'Name of' || name !== 'users')),
        text,
      ).toEqual([]);
    const left = await holding(id);
    expect(left).toEqual(expect.arrayContaining(['sallyport_audit', 'sallyport_ledger']));
    expect(
      left.filter(
        (name) =>
          ![
            'sallyport_audit',
            'sallyport_ledger',
            'sallyport_changes',
            'sallyport_identities',
            'sallyport_webhook_events',
            'sallyport_figures_people',
          ].includes(name),
      ),
    ).toEqual([]);
    expect(
      await count(
        sql`select count(*)::int as n from sallyport_audit where subject = ${id} and what = 'forgotten'`,
      ),
    ).toBe(1);
    expect(await count(sql`select count(*)::int as n from users`)).toBe(1);
    const again = await run(`users forget ${id} --yes`);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing is held') as unknown });
  });

  it('while the provider is away nothing is erased, and nobody signs in; again goes on', async () => {
    const nowhere = 'http://127.0.0.1:1';
    const away: Variables =
      provider.name === 'kanidm' ? { KANIDM_URL: nowhere } : { ZITADEL_API_URL: nowhere };
    const answer = await run(`users forget ${id} --yes`, away);
    expect(answer).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nothing was erased') as unknown,
    });
    expect(
      await count(sql`select count(*)::int as n from users where user_id = ${id} and status = 'inactive'`),
    ).toBe(1);
    expect(
      await count(sql`select count(*)::int as n from sessions where user_id = ${id} and not revoked`),
    ).toBe(0);
    expect(await account()).toBe(1);
    expect(await run(`users forget ${id} --yes`)).toMatchObject({ code: 0 });
    expect([await account(), await holding(MAIL)]).toEqual([0, []]);
  });

  it('a row that the application names becomes anonymous, and what it names stays', async () => {
    await db.database.execute(
      sql`create table orders (id int, buyer uuid references users (user_id) on delete cascade)`,
    );
    await db.database.execute(sql`insert into orders values (1, ${id})`);
    expect(await json(`users forget ${id} --yes --json`)).toMatchObject({ code: 0, row: 'anonymised' });
    expect(await count(sql`select count(*)::int as n from orders`)).toBe(1);
    expect(await holding(MAIL)).toEqual([]);
    expect(
      await count(
        sql`select count(*)::int as n from users where user_id = ${id} and email = ${`forgotten-${id}@invalid`} and password_hash is null and deleted_at is not null`,
      ),
    ).toBe(1);
    expect((await run(`users forget ${id} --yes`)).stdout).toContain('nothing is held');
  });

  it.each(['cascade', 'no action', 'set null'])(
    'rows of the application that name a session stay, and so does the session, reduced to its times (on delete %s)',
    async (how) => {
      for (const statement of [
        `create table carts (id int, session uuid references sessions (session_id) on delete ${how})`,
        'insert into carts select 1, session_id from sessions',
        `insert into sessions (user_id, tenant_id, access_token_hash, refresh_token_hash, ip_address, access_token_expires_at, refresh_token_expires_at)
          select user_id, tenant_id, 'the-token-hash', 'the-token-hash', '203.0.113.7', now(), now() from sessions`,
      ])
        await script(db.url, statement);
      const rows = { sessions: 1, sessions_reduced: 1 };
      expect(await json(`users forget ${id} --dry-run --json`)).toMatchObject({ row: 'anonymised', rows });
      expect(await json(`users forget ${id} --yes --json`)).toMatchObject({
        code: 0,
        row: 'anonymised',
        rows,
      });
      expect([await account(), await holding(MAIL)]).toEqual([0, []]);
      for (const text of ['the-token-hash', '203.0.113.7', 'the-refresh-token'])
        expect([text, await holding(text)]).toEqual([text, []]);
      expect(
        await count(
          sql`select count(*)::int as n from carts c join sessions s on s.session_id = c.session where s.revoked and s.user_id = ${id}`,
        ),
      ).toBe(1);
      expect(await count(sql`select count(*)::int as n from sessions where user_id = ${id}`)).toBe(1);
      expect((await run(`users forget ${id} --yes`)).stdout).toContain('nothing is held');
    },
  );

  it('an account that a run made and did not live to write down is deleted too', async () => {
    for (const cut of [
      sql`delete from sallyport_links where user_id = ${id}`,
      sql`update users set kanidm_user_id = null, auth_method = 'password' where user_id = ${id}`,
      sql`update sallyport_ledger set state = 'intended', external_id = null where user_id = ${id}`,
    ])
      await db.database.execute(cut);
    expect(await json(`users forget ${id} --yes --json`)).toMatchObject({
      code: 0,
      accounts: [{ subject: id }],
      elsewhere: [],
    });
    expect(await account()).toBe(0);
  });

  it("an account of the adopted database is Kanidm's: where people go to Zitadel it is named, and not called deleted", async () => {
    for (const adopted of [
      sql`delete from sallyport_links where user_id = ${id}`,
      sql`delete from sallyport_ledger`,
    ])
      await db.database.execute(adopted);
    const found = [{ issuer: null, subject: id }];
    const kanidm = provider.name === 'kanidm';
    expect(await json(`users forget ${id} --yes --json`)).toMatchObject({
      code: 0,
      accounts: found,
      elsewhere: kanidm ? [] : found,
    });
    expect(await account()).toBe(kanidm ? 0 : 1);
  });

  it('the audit can be reduced to ids, and changed in no other way', async () => {
    for (const change of [
      sql`update sallyport_audit set who = 'somebody'`,
      sql`update sallyport_audit set detail = '{}'`,
      sql`update sallyport_audit set source = 'erased', detail = '{}', at = now() - interval '1 day'`,
    ])
      await expect(db.database.execute(change)).rejects.toThrow();
    await db.database.execute(
      sql`update sallyport_audit set source = 'erased', detail = '{}' where subject = ${id}`,
    );
  });
});

/** One row about the person in every table that can hold one. */
function everywhere(id: string): readonly Sql[] {
  const person = sql`from users where user_id = ${id}::uuid`;
  return [
    sql`insert into sessions (user_id, tenant_id, access_token_hash, refresh_token_hash, ip_address, access_token_expires_at, refresh_token_expires_at)
        select user_id, tenant_id, 'the-token-hash', 'the-token-hash', '203.0.113.7', now() + interval '1 day', now() + interval '1 day' ${person}`,
    sql`insert into sallyport_sessions (session_id, provider_token) select session_id, 'the-refresh-token' from sessions`,
    sql`insert into sallyport_people (user_id, excluded_reason) select user_id, 'because' ${person}
        on conflict (user_id) do update set excluded_reason = 'because'`,
    sql`insert into sallyport_resets (token_hash, user_id, expires_at) select 'the-token-hash'::bytea, user_id, now() + interval '1 day' ${person}`,
    sql`insert into sallyport_registrations (token_hash, tenant_id, email, full_name, password_hash, expires_at)
        select 'the-token-hash'::bytea, tenant_id, email, full_name, password_hash, now() + interval '1 day' ${person}`,
    sql`insert into sallyport_mail_templates (digest, content) values ('d', '{}') on conflict do nothing`,
    sql`insert into sallyport_outbox (message_id, kind, template, recipient, tenant_id, user_id, content, status)
        select '<one@example.org>', 'invitation', 'd', email, tenant_id, user_id, 'the-content', 'sent' ${person}`,
    sql`insert into sallyport_invitations (invitation_id, user_id, tenant_id, survey_text) select user_id, user_id, tenant_id, 'my survey' ${person}`,
    sql`insert into sallyport_invitation_steps (invitation_id, step, token_hash, expires_at) select user_id, 'invite', 'the-token-hash'::bytea, now() ${person}`,
    sql`insert into sallyport_mail_suppressed (address_hash, reason) select sha256(convert_to(lower(email), 'UTF8')), 'bounced' ${person}`,
    sql`insert into sallyport_identities (issuer, subject, username, email, updated_at) select 'zitadel', user_id::text, email, email, now() ${person}`,
    sql`insert into sallyport_webhook_events (id, instance_id, subject, sequence, position, type, source, payload, received_at, status, urgent, due_at)
        select gen_random_uuid(), 'i', user_id::text, 1, 1, 'user.human.added', 'event', jsonb_build_object('email', email), now(), 'applied', false, now() ${person}`,
    sql`insert into sallyport_audit (who, what, subject, source, detail) select user_id::text, 'signed_in', user_id, '203.0.113.7', '{"by": "password"}' ${person}`,
    sql`insert into sallyport_audit (who, what, subject, source, detail) select 'operator', 'excluded', user_id, 'cli', '{"reason": "because"}' ${person}`,
  ];
}
