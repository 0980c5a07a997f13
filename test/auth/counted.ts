import { createApp } from '../../functions/app.ts';
import { createAuth } from '../../functions/auth/function.ts';
import { AUTH } from '../../functions/auth/slice.ts';
import { parseEnvironment, type Catalogue } from '../../functions/configuration.ts';
import { starting } from '../../shared/edge/function.ts';
import { createPlatform } from '../../shared/adapters/node/platform.ts';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { createDeps } from '../../shared/deps.ts';
import { makePrivateKeys } from '../../shared/keys/signing-keys.ts';
import type { Outbox } from '../../shared/mail/outbox.ts';
import { json, sql, type Database, type Sql } from '../../shared/ports/database.ts';
import { compile } from '../../shared/database/sql.ts';
import type { Platform } from '../../shared/ports/platform.ts';
import { WATCHDOG_MS } from '../support/databases.ts';

/** Sign-in in this process, where everything it computes and asks of the database is counted. */
export interface Counted {
  /** Any request. */
  send(target: string, init: RequestInit): Promise<Response>;
  post(route: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  get(route: string, headers?: Record<string, string>): Promise<Response>;
  /** What was computed since the last call, in units of 2^cost. */
  paid(): number;
  /** Statements sent since the last call, each a round trip. */
  statements(): readonly string[];
  /** With their parameters. */
  compiled(): readonly { readonly text: string; readonly params: readonly (string | null)[] }[];
  /** Sends a form, as the pages do. */
  form(route: string, fields: Record<string, string>): Promise<Response>;
  /** Whether the database answers. */
  pings(): Promise<boolean>;
  close(): Promise<void>;
}

/** An outbox over a new table test_outbox: kind, recipient, tenant, mail_values. */
export async function tableOutbox(database: Database): Promise<Outbox> {
  await database.execute(
    sql`create table test_outbox (id bigint generated always as identity, kind text, recipient text, tenant text, mail_values jsonb)`,
  );
  return {
    enqueue: async ({ kind, to, tenant, values }) =>
      sql`insert into test_outbox (kind, recipient, tenant, mail_values) values (${kind}, ${to}, ${tenant}, ${json(values)})`,
    nudge: () => undefined,
  };
}

export async function startCounted(
  url: string,
  variables: Readonly<Record<string, string>> = {},
  outbox: Outbox | null = null,
): Promise<Counted> {
  const catalogue: Catalogue = {
    further: { auth: AUTH },
    starts: { auth: starting(AUTH, (deps, config) => createAuth({ ...deps, outbox }, config)) },
  };
  let paid = 0;
  const keys = await makePrivateKeys();
  let sent: Sql[] = [];
  let ping = (): Promise<void> => Promise.resolve();
  const parsed = parseEnvironment(
    {
      UPSTREAM_URL: 'http://127.0.0.1:1',
      OPENFGA_URL: 'http://127.0.0.1:1',
      OPENFGA_STORE_ID: '01J00000000000000000000000',
      ACCESS_RULES: '[]',
      OPENFGA_MODEL: 'off',
      FUNCTIONS: 'auth',
      PUBLIC_URL: 'http://127.0.0.1:3999',
      SESSION_KEYS: keys,
      DATABASE_URL: url,
      LOGIN_RATE: '1000000/1s',
      PASSWORD_COST: '4',
      ...variables,
    },
    'node',
    catalogue,
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  const node = createPlatform();
  const silent = { debug() {}, info() {}, warn() {}, error() {}, lines: undefined, flush() {} };
  const platform: Platform = {
    ...node,
    log: () => silent,
    passwords: {
      atOnce: node.passwords.atOnce,
      verify(password, hash) {
        paid += 2 ** Number(hash.slice(4, 6));
        return node.passwords.verify(password, hash);
      },
      hash(password, cost) {
        paid += 2 ** cost;
        return node.passwords.hash(password, cost);
      },
    },
    database({ url }) {
      const real = openPgDatabase({ url, connectTimeoutMs: WATCHDOG_MS, statementTimeoutMs: WATCHDOG_MS });
      ping = () => real.ping();
      const database: Database = {
        ...real,
        query: (statement, row) => (sent.push(statement), real.query(statement, row)),
        execute: (statement) => (sent.push(statement), real.execute(statement)),
        transaction: (statements, options) => (
          sent.push(...statements),
          real.transaction(statements, options)
        ),
      };
      return database;
    },
  };
  const app = createApp(createDeps(parsed.config, { platform }), () => '203.0.113.7');
  const compiled = () => {
    const all = sent.map(compile);
    sent = [];
    return all;
  };
  const sendTo = async (target: string, init: RequestInit) =>
    app.fetch(new Request(`http://127.0.0.1:3999${target}`, init), {});
  const send = (route: string, init: RequestInit) => sendTo(`/api/v1/auth/${route}`, init);
  return {
    send: sendTo,
    post: (route, body, headers = {}) => send(route, { method: 'POST', headers, body: JSON.stringify(body) }),
    get: (route, headers = {}) => send(route, { headers }),
    form: (route, fields) => send(route, { method: 'POST', body: new URLSearchParams(fields) }),
    paid() {
      const since = paid;
      paid = 0;
      return since;
    },
    statements: () => compiled().map(({ text }) => text.replaceAll(/\s+/g, ' ').trim()),
    compiled,
    pings: () =>
      ping().then(
        () => true,
        () => false,
      ),
    close: () => app.close(),
  };
}
