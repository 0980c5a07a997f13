import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { startKanidm, type Kanidm } from '../../dev/kanidm/index.ts';
import { enrol } from '../../dev/kanidm/rights.ts';
import { migrate } from '../../dev/migrate.ts';
import { browser } from '../../dev/tour/browser.ts';
import { openDatabase, openDirectory, openGround as openPorts } from '../../shared/deps.ts';
import { makePrivateKeys } from '../../shared/keys/signing-keys.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { syncGroups } from '../../shared/provisioning/groups.ts';
import { median, verdict, type SectionResult } from '../figures.ts';
import { openGround, variables, type Ground } from '../ground.ts';
import { startCountingRelay, type CountingRelay } from '../servers/counting-relay.ts';
import type { PostgresServer } from '../servers/stores.ts';

const CLIENT = 'bench';
const SECRET = 'a-secret-of-the-bench';
const PASSWORD = 'a-password-of-the-bench';
const CALLBACK = '/api/v1/auth/oauth/callback/kanidm';
const TENANT = { id: randomUUID(), slug: 'callback', name: 'Callback' };
/** Sign-ins before those that count: keys are fetched, connections are open. */
const WARM_UP = 3;

/** The duration of one callback, with its round trips to the database and its calls of the provider. */
interface Callback {
  readonly ms: number;
  readonly database: number;
  readonly provider: number;
}

interface Person {
  readonly id: string;
  readonly name: string;
  readonly email: string;
}

/** Measures round trips and calls per callback, for existing users and for people who become one. */
export async function measureCallbacks(
  postgres: PostgresServer,
  { rounds, beside }: { readonly rounds: number; readonly beside?: string | undefined },
): Promise<Pick<SectionResult, 'tables' | 'verdicts'>> {
  console.error('measuring: callback');
  const ground = await openGround({ beside });
  let calls = 0;
  const kanidm = await startKanidm({
    intercept: () => {
      calls += 1;
      return undefined;
    },
  });
  const databaseUrl = postgres.createDatabase('crossing_callback');
  const relay = await startCountingRelay(Number(new URL(databaseUrl).port));
  try {
    await migrate(databaseUrl);
    const origin = await startProduct({ ground, kanidm, relay, databaseUrl });
    const each = rounds * 10 + WARM_UP;
    const { known, fresh } = await addPeople(kanidm, databaseUrl, each);
    const taken = (): { database: number; provider: number } => {
      const counts = { database: relay.taken(), provider: calls };
      calls = 0;
      return counts;
    };
    const sides = [
      ['known user', await callbacks(known, origin, kanidm, taken), 2],
      ['new user', await callbacks(fresh, origin, kanidm, taken), 3],
    ] as const;
    const rows = sides.map(([name, all]) => [
      name,
      String(median(all.map(({ database }) => database))),
      String(median(all.map(({ provider }) => provider))),
      median(all.map(({ ms }) => ms)).toFixed(1),
    ]);
    const columns = ['callback of', 'round trips to the database', 'calls of the provider', 'p50 ms'];
    return {
      tables: [{ title: `${each - WARM_UP} callbacks each, one after another`, columns, rows }],
      verdicts: sides.flatMap(([name, all, atMost]) => [
        verdict(
          `callback of a ${name}: round trips to the database`,
          all.map(({ database }) => database),
          { atMost },
        ),
        verdict(
          `callback of a ${name}: calls of the provider`,
          all.map(({ provider }) => provider),
          { atMost: 1 },
        ),
      ]),
    };
  } finally {
    await ground.close();
    await relay.close();
    await kanidm.close();
  }
}

interface Places {
  readonly ground: Ground;
  readonly kanidm: Kanidm;
  readonly relay: CountingRelay;
  readonly databaseUrl: string;
}

/** Its origin. The callbacks' database is reached through the relay. */
async function startProduct({ ground, kanidm, relay, databaseUrl }: Places): Promise<string> {
  const url = new URL(databaseUrl);
  url.port = String(relay.port);
  const keys = await makePrivateKeys();
  const server = await ground.start(async (port) => {
    const origin = `http://127.0.0.1:${port}`;
    await kanidm.addClient({
      ...{ name: CLIENT, displayname: 'Bench', secret: SECRET, consentPrompt: false },
      redirectUris: [origin + CALLBACK],
      scopes: { idm_all_persons: ['openid', 'profile', 'email', 'groups'] },
    });
    const auth = {
      ...{ FUNCTIONS: 'auth', PUBLIC_URL: origin, SESSION_KEYS: keys, DATABASE_URL: url.href },
      ...{ KANIDM_ISSUER_URL: kanidm.issuer(CLIENT), KANIDM_AUDIENCE: CLIENT, KANIDM_URL: kanidm.url },
      ...{ KANIDM_CLIENT_ID: CLIENT, KANIDM_CLIENT_SECRET: SECRET, MIGRATION_PROVIDER: 'kanidm' },
    };
    return ground.startNode(ground.programs.product, [], {
      port,
      env: variables(ground, { PORT: String(port), ...auth }),
    });
  });
  return `http://127.0.0.1:${server.port}`;
}

/** As many who are users under their account's id as who are not yet, all with an account in the group of the tenant. */
async function addPeople(kanidm: Kanidm, databaseUrl: string, count: number) {
  const ports = openPorts({ logLevel: 'silent' });
  const database = openDatabase({ database: { kind: 'url', url: databaseUrl, endpoint: null } }, ports);
  if (database === null) throw new Error('the bench needs a database');
  try {
    await database.execute(
      sql`insert into tenants (tenant_id, slug, name) values (${TENANT.id}, ${TENANT.slug}, ${TENANT.name})`,
    );
    const { url, token } = kanidm;
    const issuer = kanidm.issuer(CLIENT);
    const directory = openDirectory(
      { directory: { provider: 'kanidm', issuer, url, token, syncToken: null } },
      ports,
    );
    await syncGroups(TENANT.slug, false, { database, directory, sleep: delay });
    const [known, fresh] = [accounts(kanidm, count), accounts(kanidm, count)];
    await addUsers(database, known);
    return { known, fresh };
  } finally {
    await database.close();
  }
}

function accounts(kanidm: Kanidm, count: number): readonly Person[] {
  const { store } = kanidm;
  const group = store.entries('group').find(({ name }) => name === `tenant_${TENANT.slug}_users`);
  if (group === undefined) throw new Error('the group of the tenant is not there');
  return Array.from({ length: count }, () => {
    const id = randomUUID();
    const name = `p${id.replaceAll('-', '')}`;
    const email = `${name}@example.org`;
    const made = store.create([{ kind: 'person', uuid: id, name, displayname: 'Bench User', mail: [email] }]);
    enrol(store, made);
    store.join(group, [id]);
    kanidm.setPassword(id, PASSWORD);
    return { id, name, email };
  });
}

async function addUsers(database: Database, people: readonly Person[]): Promise<void> {
  await database.execute(sql`
    insert into users (user_id, tenant_id, email, full_name, auth_method, kanidm_user_id)
    select p.id::uuid, ${TENANT.id}::uuid, p.email, 'Bench User', 'dual', p.id::uuid
    from unnest(${people.map(({ id }) => id)}::text[], ${people.map(({ email }) => email)}::text[]) as p(id, email)`);
}

/** Signs them in one after another, and measures the request that comes back from the provider. */
async function callbacks(
  people: readonly Person[],
  origin: string,
  kanidm: Kanidm,
  taken: () => Omit<Callback, 'ms'>,
): Promise<readonly Callback[]> {
  const all: Callback[] = [];
  for (const { name } of people) {
    const go = browser(async (url, request) => {
      if (!url.startsWith(origin + CALLBACK)) return request();
      taken();
      const start = performance.now();
      const answer = await request();
      const ms = performance.now() - start;
      if (answer.status !== 303) throw new Error(`a callback was answered ${answer.status}`);
      all.push({ ms, ...taken() });
      return answer;
    });
    await go(`${origin}/api/v1/auth/oauth/authorize?provider=kanidm&return_to=/health`);
    await go(`${kanidm.url}/ui/login/pw`, new URLSearchParams({ username: name, password: PASSWORD }));
  }
  if (all.length !== people.length) throw new Error('a sign-in did not come back by its callback');
  return all.slice(WARM_UP);
}
