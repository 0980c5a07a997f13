import { afterAll, beforeAll } from 'vitest';
import * as z from 'zod';
import { FURTHER, functionsOn, scheduleOf } from '../../functions/catalogue.ts';
import { makePrivateKeys } from '../../shared/keys/signing-keys.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { startNeonEndpoint, type NeonEndpoint } from '../services/neon.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import type { GatewayVariables } from '../support/gateway/runtime.ts';
import { FUNCTION_RUNTIMES } from '../support/gateway/runtimes.ts';
import { gatewaySuite, type Stage, type SuiteOptions } from '../support/suite.ts';
import { PASSWORD } from './people.ts';

export const PUBLIC_URL = 'http://127.0.0.1:3999';

export interface AuthStage extends Stage {
  readonly database: Database;
  /** Of another instance beside the one of the stage. */
  readonly alike: GatewayVariables;
  /** Sends JSON to a route of auth. */
  post(route: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  get(route: string, headers?: Record<string, string>): Promise<Response>;
}

export const SignedIn = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.number(),
  user: z.object({
    id: z.string(),
    tenant_id: z.string(),
    tenant: z.string(),
    email: z.string(),
    full_name: z.string().nullable(),
    role: z.string(),
    auth_method: z.string(),
  }),
  migration: z
    .object({ state: z.string(), deadline: z.string().nullable(), start_url: z.string().nullable() })
    .nullable(),
});

export const Pair = SignedIn.pick({ access_token: true, refresh_token: true });

/** The gateway with sign-in, over one database; unless given, on each of FUNCTION_RUNTIMES. */
export function authSuite(
  name: string,
  options: Omit<SuiteOptions, 'variables'> & { readonly variables?: () => GatewayVariables },
  define: (stage: AuthStage) => void,
): void {
  let db: MigratedDatabase;
  let neon: NeonEndpoint;
  let keys: string;
  beforeAll(async () => {
    [db, neon, keys] = await Promise.all([DATABASE.start(), startNeonEndpoint(), makePrivateKeys()]);
    await serveEveryTick(db.database);
  });
  afterAll(async () => {
    await neon.close();
    await db.close();
  });
  const variables = () => ({
    FUNCTIONS: 'auth',
    PUBLIC_URL,
    SESSION_KEYS: keys,
    DATABASE_URL: db.url,
    DATABASE_HTTP_ENDPOINT: neon.endpoint,
    LOGIN_RATE: '1000000/1s',
    PASSWORD_COST: '4',
    ...options.variables?.(),
  });
  gatewaySuite(
    name,
    { on: FUNCTION_RUNTIMES, ...options, variables, before: (world) => void world.secrets.push(PASSWORD) },
    (stage) => {
      const auth = stage as { -readonly [Key in keyof AuthStage]: AuthStage[Key] };
      beforeAll(() => {
        auth.database = db.database;
        auth.alike = { ...stage.variables, ...variables() };
        auth.get = (route, headers = {}) => stage.gateway.fetch(`/api/v1/auth/${route}`, { headers });
        auth.post = (route, body, headers = {}) =>
          stage.gateway.fetch(`/api/v1/auth/${route}`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', ...headers },
            ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
          });
      });
      define(auth);
    },
  );
}

/**
 * Marks every time of the schedule as served. The Node gateway ticks by the clock of the machine: a job that happened to be due
 * while a suite ran would judge and clear what the suite had put there. Jobs that a test runs itself have no time, and run.
 */
async function serveEveryTick(database: Database): Promise<void> {
  const jobs = scheduleOf(functionsOn({ FUNCTIONS: Object.keys(FURTHER).join(',') })).map(({ job }) => job);
  await database.execute(sql`
    insert into sallyport_leases (name, token, run_id, expires_at, due_at)
    select job, 1, gen_random_uuid(), now(), 'infinity' from unnest(${jobs}::text[]) job`);
}

export async function signIn(
  stage: AuthStage,
  { email, slug }: { readonly email: string; readonly slug: string },
): Promise<z.output<typeof SignedIn>> {
  const answer = await stage.post('login', { tenant: slug, email, password: PASSWORD });
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
  const signedIn = SignedIn.parse(await answer.json());
  const { access_token, refresh_token } = signedIn;
  stage.secrets.push(access_token.slice(access_token.lastIndexOf('.') + 1), refresh_token);
  return signedIn;
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
