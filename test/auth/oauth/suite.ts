import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import * as z from 'zod';
import { sql, type Database } from '../../../shared/ports/database.ts';
import { makeTenant } from '../people.ts';
import { authSuite, type AuthStage } from '../suite.ts';
import { openBrowser, type Browser } from './browser.ts';
import { startProvider, type Account, type FakeProvider } from './provider.ts';

export interface OAuthStage extends AuthStage {
  readonly kanidm: FakeProvider;
  readonly zitadel: FakeProvider;
  browser(): Browser;
}

export const PROJECT = '350000000000000009';

/** Sign-in by both providers, on each runtime. */
export function oauthSuite(
  name: string,
  variables: Readonly<Record<string, string>>,
  define: (stage: OAuthStage) => void,
): void {
  let [kanidm, zitadel]: FakeProvider[] = [];
  beforeAll(async () => {
    [kanidm, zitadel] = await Promise.all([startProvider('kanidm'), startProvider('zitadel')]);
  });
  afterAll(async () => {
    await Promise.all([kanidm?.close(), zitadel?.close()]);
  });
  const all = () => ({ ...providerVariables(kanidm!, zitadel!), ...variables });
  authSuite(name, { variables: all }, (stage) => {
    const oauth = stage as { -readonly [Key in keyof OAuthStage]: OAuthStage[Key] };
    beforeAll(() => {
      oauth.kanidm = kanidm!;
      oauth.zitadel = zitadel!;
      oauth.browser = () => openBrowser((target, sent) => stage.gateway.fetch(target, sent));
      stage.secrets.push(kanidm!.clientSecret, zitadel!.clientSecret);
    });
    beforeEach(() => {
      for (const provider of [kanidm!, zitadel!]) {
        provider.reset();
        provider.calls();
      }
    });
    define(oauth);
  });
}

export function providerVariables(kanidm: FakeProvider, zitadel: FakeProvider): Record<string, string> {
  return {
    MIGRATION_PROVIDER: 'kanidm',
    KANIDM_ISSUER_URL: kanidm.url,
    KANIDM_AUDIENCE: kanidm.clientId,
    KANIDM_CLIENT_ID: kanidm.clientId,
    KANIDM_CLIENT_SECRET: kanidm.clientSecret,
    ZITADEL_ISSUER_URL: zitadel.url,
    ZITADEL_AUDIENCE: 'api',
    ZITADEL_OAUTH_CLIENT_ID: zitadel.clientId,
    ZITADEL_OAUTH_CLIENT_SECRET: zitadel.clientSecret,
    ZITADEL_PROJECT_ID: PROJECT,
    ZITADEL_ORGANIZATION: '350000000000000001',
  };
}

/** The query of a sign-in at Kanidm. */
export const KANIDM = { provider: 'kanidm' };

export const AUTHORIZE = '/api/v1/auth/oauth/authorize';

/** Sends a browser to a provider; where to. */
export async function leave(browser: Browser, query: Readonly<Record<string, string>>): Promise<string> {
  const answer = await browser.get(`${AUTHORIZE}?${new URLSearchParams(query).toString()}`);
  const location = answer.headers.get('location');
  if (answer.status !== 303 || location === null) throw new Error(`${answer.status} ${await answer.text()}`);
  return location;
}

/** A whole sign-in; the callback's answer. */
export async function signInAt(
  browser: Browser,
  provider: FakeProvider,
  account: Account,
  query: Readonly<Record<string, string>>,
): Promise<Response> {
  return browser.get(provider.approve(await leave(browser, query), account));
}

export interface GroupedTenant {
  readonly tenantId: string;
  readonly slug: string;
  readonly users: string;
  readonly admins: string;
}

/** A tenant with groups for members and administrators. */
export async function makeGroupedTenant(database: Database, status = 'active'): Promise<GroupedTenant> {
  const tenant = await makeTenant(database, status);
  const [users, admins] = [randomUUID(), randomUUID()];
  await group(database, tenant, users, 'member');
  await group(database, tenant, admins, 'admin');
  return { ...tenant, users, admins };
}

/** A new account in the group of members. */
export function memberOf({ users }: GroupedTenant) {
  return { sub: randomUUID(), email: address(), groups: [users] };
}

export async function group(
  database: Database,
  { tenantId, slug }: { readonly tenantId: string; readonly slug: string },
  id: string,
  role: string,
): Promise<void> {
  await database.execute(
    sql`insert into kanidm_tenant_groups (tenant_id, kanidm_group_uuid, kanidm_group_name, role)
        values (${tenantId}, ${id}, ${`tenant_${slug}_${role}`}, ${role})`,
  );
}

const MovedRow = z.object({
  user_id: z.string(),
  tenant_id: z.string(),
  email: z.string(),
  role: z.string(),
  auth_method: z.string(),
  password_hash: z.string().nullable(),
  kanidm_user_id: z.string().nullable(),
  completed: z.date().nullable(),
});

/** Users that an account is linked to. */
export function linkedTo(
  database: Database,
  issuer: string,
  sub: string,
): Promise<z.output<typeof MovedRow>[]> {
  return database.query(
    sql`select u.user_id, u.tenant_id, u.email, u.role, u.auth_method, u.password_hash, u.kanidm_user_id,
          u.migration_completed_at as completed
        from users u join sallyport_links l on l.user_id = u.user_id where l.issuer = ${issuer} and l.subject = ${sub}`,
    MovedRow,
  );
}

export async function countOf(database: Database, what: ReturnType<typeof sql>): Promise<number> {
  const [row] = await database.query(
    sql`select count(*)::int as n from ${what}`,
    z.object({ n: z.number() }),
  );
  return row!.n;
}

/** No link, no user and no session came of an account. */
export async function expectNothing(
  { database }: Pick<OAuthStage, 'database'>,
  { url }: FakeProvider,
  sub: string,
): Promise<void> {
  expect(await linkedTo(database, url, sub)).toEqual([]);
  expect(await countOf(database, sql`sallyport_sessions where subject = ${sub}`)).toBe(0);
}

export const Me = z.object({
  id: z.string(),
  tenant_id: z.string(),
  tenant: z.string(),
  email: z.string(),
  role: z.string(),
  auth_method: z.string(),
  session: z.object({ id: z.string(), auth_method: z.string() }),
});

export async function me(browser: Browser): Promise<z.output<typeof Me>> {
  const answer = await browser.get('/api/v1/auth/me');
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
  return Me.parse(await answer.json());
}

export const address = () => `p${randomUUID().slice(0, 8)}@example.org`;
