import { importJWK, SignJWT, type JWTPayload } from 'jose';
import { generateKeys } from '../../cli/keys.ts';
import { startNeonEndpoint } from '../../dev/neon.ts';
import { sql, type Database, type Sql } from '../../shared/ports/database.ts';
import { sessionKeys } from '../../shared/sessions/keys.ts';
import { mintRefresh, tokenHash } from '../../shared/sessions/token.ts';
import { Border } from './border.ts';
import { crossToPostgres } from './crossing-postgres.ts';
import { DATABASE } from './databases.ts';
import type { GatewayVariables } from './gateway/runtime.ts';
import { createIssuer, type FakeIssuer } from './issuer.ts';

export const PUBLIC_URL = 'https://app.example.org';
export const COOKIE = '__Host-sallyport';
export const REFRESH_COOKIE = '__Host-sallyport_refresh';

/** A tenant of the application. */
export interface TestTenant {
  readonly id: string;
  readonly slug: string;
}

export const ACME: TestTenant = { id: '00000000-0000-4000-8000-00000000000a', slug: 'acme' };
export const BETA: TestTenant = { id: '00000000-0000-4000-8000-00000000000b', slug: 'beta' };

let made = 0;
/** Uuids that are read easily in a failure. */
export const uuid = (): string => `10000000-0000-4000-8000-${String((made += 1)).padStart(12, '0')}`;

/** A database with two tenants behind a wall that can be cut, Kanidm beside the world's Zitadel, and keys of sessions. */
export interface TwoDoors {
  readonly database: Database;
  readonly kanidm: FakeIssuer;
  /** Over those of the world; the same on both runtimes. */
  variables(): GatewayVariables;
  /** A user of a tenant. */
  user(tenant: TestTenant, row?: { readonly role?: string; readonly status?: string }): Promise<string>;
  link(issuer: string, subject: string, user: string): Promise<void>;
  execute(statement: Sql): Promise<void>;
  /** `Bearer …` of Kanidm. */
  kanidmBearer(sub: string, claims?: Record<string, unknown>): Promise<string>;
  /** An access token of a session; `sub` is a new user of ACME unless given. */
  session(claims?: JWTPayload): Promise<string>;
  /** Rows of a session of a user of ACME that began by password; its refresh token. */
  begun(user: string): Promise<string>;
  /** The database is away, or back. */
  cut(): void;
  mend(): Promise<void>;
  close(): Promise<void>;
}

export async function openTwoDoors(): Promise<TwoDoors> {
  const db = await DATABASE.start();
  const wall = await crossToPostgres(db.url, new Border());
  const neon = await startNeonEndpoint();
  const kanidm = await createIssuer({});
  const provider = await kanidm.listen();
  const keys = await generateKeys();
  const { database } = db;
  for (const { id, slug } of [ACME, BETA])
    await database.execute(sql`insert into tenants (tenant_id, name, slug) values (${id}, ${slug}, ${slug})`);
  return {
    database,
    kanidm,
    variables: () => ({
      FUNCTIONS: 'auth',
      PUBLIC_URL,
      SESSION_KEYS: JSON.stringify(keys),
      SHARED_SUBJECT_ISSUERS: 'session,zitadel,kanidm',
      KANIDM_ISSUER_URL: kanidm.url,
      KANIDM_AUDIENCE: 'api',
      MIGRATION_PROVIDER: 'kanidm',
      DATABASE_URL: `${wall.url}?sslmode=disable`,
      DATABASE_HTTP_ENDPOINT: neon.endpoint,
    }),
    async user(tenant, { role = 'user', status = 'active' } = {}) {
      const id = uuid();
      await database.execute(sql`insert into users (user_id, tenant_id, email, role, status)
        values (${id}, ${tenant.id}, ${`${id}@example.org`}, ${role}, ${status})`);
      return id;
    },
    async link(issuer, subject, user) {
      await database.execute(sql`insert into sallyport_links (issuer, subject, user_id, via)
        values (${issuer}, ${subject}, ${user}, 'provisioning')`);
    },
    async execute(statement) {
      await database.execute(statement);
    },
    kanidmBearer: async (sub, claims = {}) =>
      `Bearer ${await kanidm.sign({ sub, ...claims }, { header: { typ: 'at+jwt' } })}`,
    async session(claims = {}) {
      const [jwk] = keys.keys;
      if (jwk === undefined) throw new Error('no session key');
      const iat = Math.floor(Date.now() / 1_000);
      const whole = {
        ...{ iss: PUBLIC_URL, aud: PUBLIC_URL, sub: uuid(), iat, exp: iat + 900 },
        ...{ tenant: ACME.id, tenant_slug: ACME.slug, role: 'user', sid: uuid(), auth_method: 'jwt' },
        ...claims,
      };
      const header = { alg: 'ES256', kid: jwk['kid'], typ: 'at+jwt' };
      return new SignJWT(whole).setProtectedHeader(header).sign(await importJWK(jwk, 'ES256'));
    },
    async begun(user) {
      const sessionId = uuid();
      const refresh = mintRefresh({ sessionId, generation: 0 }, sessionKeys(JSON.stringify(keys)));
      await database.transaction([
        sql`insert into sessions (session_id, user_id, tenant_id, access_token_hash, refresh_token_hash, auth_method,
              access_token_expires_at, refresh_token_expires_at)
            values (${sessionId}, ${user}, ${ACME.id}, '', ${tokenHash(refresh)}, 'jwt', now(), now() + interval '1 day')`,
        sql`insert into sallyport_sessions (session_id) values (${sessionId})`,
      ]);
      return refresh;
    },
    cut: () => {
      wall.cut();
    },
    mend: () => wall.mend(),
    async close() {
      await Promise.all([provider.close(), neon.close(), wall.close()]);
      await db.close();
    },
  };
}
