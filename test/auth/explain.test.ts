import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { authJobs } from '../../functions/auth/jobs.ts';
import { createPeople } from '../../functions/gateway/authenticate/people.ts';
import { eachAlone } from '../../shared/caches/in-flight.ts';
import { linkedUser } from '../../shared/people/links.ts';
import { accountOf } from '../../functions/auth/password/accounts.ts';
import { compile } from '../../shared/database/sql.ts';
import { sql, type RowParser, type Sql } from '../../shared/ports/database.ts';
import { sessionMarks } from '../../shared/sessions/revocation.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { FULL } from '../support/scale.ts';
import { startCounted, type Counted } from './counted.ts';
import { openBrowser } from './oauth/browser.ts';
import { startProvider, type FakeProvider } from './oauth/provider.ts';
import { address, makeGroupedTenant, providerVariables, signInAt } from './oauth/suite.ts';
import { makeUser, PASSWORD } from './people.ts';
import { bearer, Pair } from './suite.ts';

const postgres = DATABASES[1];
const PEOPLE = FULL ? 1_000_000 : 30_000;
/** Tables that grow with people; the others have a row per tenant or per switch. */
const LARGE = /^(?:users|sessions|sallyport_(?:sessions|links|audit|people|resets|registrations|spent))$/;

const SUBJECT = 'b1f0a3a2-7d4c-4f0a-9d53-0a1b2c3d4e5f';

const FILL = [
  sql`insert into tenants (name, slug) select 'T' || n, 't' || n from generate_series(1, 500) n`,
  sql`insert into users (tenant_id, email, password_hash, kanidm_user_id)
      select t.tenant_id, 'person' || n || '@example.org', '$2b$04$' || repeat('a', 53), gen_random_uuid()
      from generate_series(1, ${PEOPLE}::int) n join tenants t on t.slug = 't' || (n % 500 + 1)`,
  sql`insert into sessions (user_id, tenant_id, refresh_token_hash, access_token_expires_at, refresh_token_expires_at, revoked, revoked_at)
      select user_id, tenant_id, md5(user_id::text), now(), now() + interval '1 day' * (random() * 60 - 30), random() < 0.2,
        now() - interval '1 day' * (random() * 60) from users`,
  sql`insert into sallyport_sessions (session_id) select session_id from sessions`,
  sql`insert into sallyport_links (issuer, subject, user_id, via) select 'https://idp.example.org', user_id::text, user_id, 'callback' from users`,
  sql`insert into sallyport_people (user_id) select user_id from users`,
  sql`insert into sallyport_tenants (tenant_id) select tenant_id from tenants`,
  sql`insert into sallyport_audit (at, who, what, subject, source)
      select now() - interval '1 day' * (random() * 500), 'anonymous', 'signed_in', user_id, '203.0.113.7' from users`,
  sql`insert into sallyport_resets (token_hash, user_id, expires_at)
      select sha256(user_id::text::bytea), user_id, now() + interval '1 hour' * (random() * 48 - 24) from users`,
  sql`insert into sallyport_registrations (token_hash, tenant_id, email, full_name, password_hash, expires_at)
      select sha256(user_id::text::bytea), tenant_id, email, 'x', 'x', now() + interval '1 hour' * (random() * 48 - 24) from users`,
  sql`insert into sallyport_spent (key, expires_at) select user_id::text, now() + interval '1 hour' * (random() * 48 - 24) from users`,
];

interface Plan {
  readonly node: string;
  readonly relation: string | undefined;
}

const PlanNode = z.looseObject({ 'Node Type': z.string(), 'Relation Name': z.string().optional() });

function nodesOf(value: unknown): Plan[] {
  if (Array.isArray(value)) return value.flatMap(nodesOf);
  if (typeof value !== 'object' || value === null) return [];
  const { data } = PlanNode.safeParse(value);
  const own = data === undefined ? [] : [{ node: data['Node Type'], relation: data['Relation Name'] }];
  return [...own, ...Object.values(value).flatMap(nodesOf)];
}

describe.skipIf(postgres.missing)('indexes used (needs the postgresql package)', () => {
  let db: MigratedDatabase;
  let auth: Counted;
  let kanidm: FakeProvider;
  let zitadel: FakeProvider;
  let client: Client;
  beforeAll(async () => {
    db = await postgres.start();
    client = new Client({ connectionString: db.url });
    await client.connect();
    for (const statement of FILL) {
      const { text, params } = compile(statement);
      await client.query(text, [...params]);
    }
    await client.query('analyze');
    [kanidm, zitadel] = await Promise.all([startProvider('kanidm'), startProvider('zitadel')]);
    auth = await startCounted(db.url, { NEW_USERS: 'both', ...providerVariables(kanidm, zitadel) });
  });
  afterAll(async () => {
    await client.end();
    await auth.close();
    await Promise.all([kanidm.close(), zitadel.close()]);
    await db.close();
  });

  /** The sequential scans of large tables in the plan of a statement. */
  async function scans(text: string, params: readonly (string | null)[]): Promise<readonly string[]> {
    const { rows } = await client.query<{ 'QUERY PLAN': unknown }>(`explain (format json) ${text}`, [
      ...params,
    ]);
    return nodesOf(rows[0]?.['QUERY PLAN'])
      .filter(({ node, relation = '' }) => node === 'Seq Scan' && LARGE.test(relation))
      .map(({ relation = '' }) => `${relation}: ${text.replaceAll(/\s+/g, ' ')}`);
  }

  async function expectIndexed(least: number): Promise<void> {
    const statements = auth.compiled();
    expect(statements.length).toBeGreaterThanOrEqual(least);
    for (const { text, params } of statements) expect(await scans(text, params)).toEqual([]);
  }

  it('by every statement of signing in, refused or not', async () => {
    const user = await makeUser(db.database);
    for (const [tenant, email, password] of [
      [undefined, 'person7@example.org', 'wrong'],
      [undefined, 'PERSON8@example.org', 'wrong'],
      ['t9', 'person8@example.org', 'wrong'],
      [user.tenantId, user.email, PASSWORD],
      [undefined, user.email, PASSWORD],
    ])
      await auth.post('login', { tenant, email, password });
    await expectIndexed(10);
  });

  it('by every statement of a session, a new password and a registration', async () => {
    const user = await makeUser(db.database);
    const signIn = async () =>
      Pair.parse(await (await auth.post('login', { email: user.email, password: PASSWORD })).json());
    const [first, other] = [await signIn(), await signIn()];
    auth.statements();
    await auth.post('refresh', { refresh_token: first.refresh_token });
    await auth.get('me', bearer(first.access_token));
    await auth.get('sessions', bearer(first.access_token));
    await auth.post(
      'change-password',
      { current_password: PASSWORD, new_password: 'three plain words' },
      bearer(first.access_token),
    );
    await auth.post('logout', {}, bearer(other.access_token));
    await auth.post('logout', { everywhere: true }, bearer(first.access_token));
    await auth.post('reset-password', { email: user.email });
    await auth.post('reset-password/confirm', { token: 'x', new_password: 'three plain words' });
    await auth.post('register', {
      tenant: 't3',
      email: 'new@example.org',
      password: 'three plain words',
      full_name: 'New',
    });
    await auth.post('register/confirm', { token: 'x' });
    await expectIndexed(14);
  });

  it('by every statement of sign-in by a provider, new, known, refused or linked, of its refresh and of its logout', async () => {
    const tenant = await makeGroupedTenant(db.database);
    const account = { sub: randomUUID(), email: address(), groups: [tenant.users] };
    const query = { provider: 'kanidm' };
    const open = () => openBrowser((target, sent) => auth.send(target, sent));
    const browser = open();
    auth.statements();
    await signInAt(browser, kanidm, account, query);
    await signInAt(browser, kanidm, account, query);
    await browser.post('/api/v1/auth/oauth/refresh');
    await signInAt(open(), kanidm, { ...account, sub: randomUUID() }, query);
    await signInAt(open(), kanidm, { sub: randomUUID(), email: address() }, query);
    const user = await makeUser(db.database);
    const linking = open();
    await linking.post('/api/v1/auth/login', { email: user.email, password: PASSWORD, cookie: true });
    await signInAt(linking, kanidm, { sub: randomUUID() }, { ...query, link: '1' });
    for (const claims of [{ sub: account.sub }, { sid: 'one' }])
      await auth.send('/api/v1/auth/oauth/backchannel-logout/kanidm', {
        method: 'POST',
        body: new URLSearchParams({ logout_token: await kanidm.logoutToken(claims) }),
      });
    await expectIndexed(20);
  });

  it('by a look-up of an account at a provider, by marks of ended sessions and by every batch of the jobs', async () => {
    const sent: Sql[] = [];
    const database = {
      query: (statement: Sql) => (sent.push(statement), Promise.resolve([])),
      execute: (statement: Sql) => (sent.push(statement), Promise.resolve(0)),
    };
    const kanidm = 'https://idm.example.org';
    const subject = SUBJECT;
    await accountOf(database, linkedUser({ issuer: kanidm, subject }, kanidm));
    await accountOf(database, linkedUser({ issuer: kanidm, subject: 'no uuid' }, kanidm));
    await accountOf(database, linkedUser({ issuer: 'https://idp.example.org', subject }, kanidm));
    await sessionMarks(database).since(Date.now() - 60_000, async () => undefined);
    await sessionMarks(database).of(`session|${subject}|sid:${subject}`);
    const signal = new AbortController().signal;
    for (const job of Object.values(authJobs({ database }))) await job.run({ signal, dryRun: false });
    expect(sent.length).toBe(15);
    for (const { text, params } of sent.map(compile)) expect(await scans(text, params)).toEqual([]);
  });

  it('by the gateway, for the account of a new token and for its groups', async () => {
    const sent: Sql[] = [];
    const nobody = { userId: null, taken: false, grouped: true, tenant: null, slug: null, role: null };
    const query = async <T>(statement: Sql, row: RowParser<T>): Promise<T[]> => {
      sent.push(statement);
      return sent.length % 2 === 1 ? [row.parse(nobody)] : [];
    };
    const typ = 'at+jwt';
    const locate = createPeople({
      database: { query },
      issuers: [
        { name: 'kanidm', url: 'https://idm.example.org', audiences: ['app'], sharedSubjects: true, typ },
      ],
      groupsOf: () => Promise.resolve([SUBJECT]),
      clock: { now: () => Date.now() },
      collapse: eachAlone,
    });
    const identity = {
      ...{ issuerName: 'kanidm', issuer: 'https://idm.example.org', subject: SUBJECT },
      ...{ user: `user:${SUBJECT}`, caller: `kanidm|${SUBJECT}` },
    };
    await locate({ token: '', identity, claims: {} }, undefined);
    expect(sent).toHaveLength(2);
    for (const { text, params } of sent.map(compile)) expect(await scans(text, params)).toEqual([]);
  });
});
