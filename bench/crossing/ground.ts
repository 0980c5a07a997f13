import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { startKanidm } from '../../dev/kanidm/index.ts';
import { migrate } from '../../dev/migrate.ts';
import { startZitadel } from '../../dev/zitadel/index.ts';
import type { DirectoryConfig } from '../../shared/configuration/providers.ts';
import { openDatabase, openDirectory, openGround, type Ground } from '../../shared/deps.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { Directory } from '../../shared/ports/directory.ts';
import type { PeopleDeps } from '../../shared/provisioning/deps.ts';
import { syncGroups } from '../../shared/provisioning/groups.ts';
import { openBooks } from '../../shared/provisioning/run.ts';
import type { PostgresServer } from '../servers/stores.ts';

/** A provider, and the database whose people go there. */
export interface CrossingGround {
  /** As tables name it. */
  readonly name: string;
  readonly config: DirectoryConfig;
  readonly directory: Directory;
  readonly database: Database;
  readonly databaseUrl: string;
  readonly psql: string;
  readonly deps: PeopleDeps;
  /** Uuid of the group of the one tenant, or null where there is none to join. */
  readonly group: string | null;
}

export const TENANT = { id: randomUUID(), slug: 'bench', name: 'Bench' };
export const HASH = `$2b$10$${'a'.repeat(53)}`;

export interface CrossingServers {
  /** Of Postgres' programs. */
  readonly folder: string;
  readonly postgres: PostgresServer;
}

/**
 * Both providers, one after the other: real ones by KANIDM_URL and KANIDM_TOKEN, or ZITADEL_API_URL and ZITADEL_PROVISIONING_TOKEN; else
 * stand-ins. Each is closed before the next is opened, and when `work` fails.
 */
export async function atEachProvider<T>(
  { folder, postgres }: CrossingServers,
  paced: boolean,
  work: (ground: CrossingGround) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  for (const open of [kanidmConfig, zitadelConfig]) {
    const opened = await open(process.env, paced);
    try {
      const { config, name } = opened;
      const databaseUrl = postgres.createDatabase(`crossing_${config.provider}`);
      await migrate(databaseUrl);
      results.push(await onGround({ name, config, databaseUrl, psql: `${folder}/psql` }, work));
    } finally {
      await opened.close();
    }
  }
  return results;
}

interface Opened {
  readonly name: string;
  readonly config: DirectoryConfig;
  close(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

async function kanidmConfig(
  { KANIDM_URL: real, KANIDM_TOKEN: realToken }: Environment,
  paced: boolean,
): Promise<Opened> {
  const options = paced ? { intercept: oneAtATime(KANIDM_MS) } : {};
  const standIn = real === undefined || realToken === undefined ? await startKanidm(options) : undefined;
  const url = real ?? standIn?.url ?? '';
  const token = realToken ?? standIn?.token ?? '';
  return {
    name: standIn === undefined ? 'Kanidm' : 'Kanidm (stand-in)',
    config: { provider: 'kanidm', issuer: `${url}/oauth2/openid/bench`, url, token, syncToken: null },
    close: async () => standIn?.close(),
  };
}

async function zitadelConfig(env: Environment, paced: boolean): Promise<Opened> {
  const { ZITADEL_API_URL: real, ZITADEL_PROVISIONING_TOKEN: realToken } = env;
  const options = paced ? { intercept: each(ZITADEL_MS) } : {};
  const standIn = real === undefined || realToken === undefined ? await startZitadel(options) : undefined;
  const url = real ?? standIn?.url ?? '';
  const token = realToken ?? standIn?.token ?? '';
  const where = { tenancy: 'organisations', organization: null, projectId: null } as const;
  return {
    name: standIn === undefined ? 'Zitadel' : 'Zitadel (stand-in)',
    config: { provider: 'zitadel', issuer: url, url, token, ...where },
    close: async () => standIn?.close(),
  };
}

type Pace = Readonly<Record<string, number>>;

/** Milliseconds that a real Kanidm 1.11.1 took on two busy cores: 100 entries at 1,305/s, 100 members at 4,528/s, by its one writer. */
const KANIDM_MS: Pace = { '/v1/raw/create': 77, '/_attr/member': 22 };
/** Of a real Zitadel 4.13.1, that made some 100 people a second of 16 at a time. */
const ZITADEL_MS: Pace = { '/v2/users/new': 160 };

function msOf(pace: Pace, { method, url }: Request): number {
  return method === 'GET' ? 0 : (Object.entries(pace).find(([path]) => url.endsWith(path))?.[1] ?? 0);
}

function each(pace: Pace): (request: Request) => Promise<undefined> {
  return async (request) => {
    await delay(msOf(pace, request));
  };
}

function oneAtATime(pace: Pace): (request: Request) => Promise<undefined> {
  let last = Promise.resolve();
  return async (request) => {
    const ms = msOf(pace, request);
    if (ms === 0) return;
    last = last.then(() => delay(ms));
    await last;
  };
}

type Known = Pick<CrossingGround, 'name' | 'config' | 'databaseUrl' | 'psql'>;

async function onGround<T>(known: Known, work: (ground: CrossingGround) => Promise<T>): Promise<T> {
  const ground = openGround({ logLevel: 'silent' });
  const directory = openDirectory({ directory: known.config }, ground);
  const config = { database: { kind: 'url', url: known.databaseUrl, endpoint: null } } as const;
  const database = openDatabase(config, ground);
  if (database === null) throw new Error('the bench needs a database');
  try {
    await database.execute(
      sql`insert into tenants (tenant_id, slug, name) values (${TENANT.id}, ${TENANT.slug}, ${TENANT.name})`,
    );
    await syncGroups(null, false, { database, directory, sleep: delay });
    const found = await directory.findGroup(TENANT, 'member');
    return await work({
      ...{ ...known, directory, database, deps: depsOf(ground, directory, database) },
      // At Zitadel being in the organisation is all.
      group: directory.traits.provider === 'kanidm' && found.outcome === 'found' ? found.group.id : null,
    });
  } finally {
    await database.close();
  }
}

function depsOf(ground: Ground, directory: Directory, database: Database): PeopleDeps {
  return {
    ...openBooks(database, { processes: ground.platform.processes }),
    ...ground,
    directory,
    // Of addresses in ASCII, which all are here, it is the text itself.
    skeleton: (text) => text,
    who: 'bench',
    signal: new AbortController().signal,
    sleep: (ms) => delay(ms),
    waitMs: 0,
    onRun: () => undefined,
    onProgress: () => undefined,
    onWarning: () => undefined,
  };
}

export interface BenchUser {
  readonly id: string;
  readonly email: string;
}

/** Users of the one tenant, in the database. */
export async function addUsers({ database }: CrossingGround, count: number): Promise<readonly BenchUser[]> {
  const users = Array.from({ length: count }, () => {
    const id = randomUUID();
    return { id, email: `u${id.replaceAll('-', '')}@example.org` };
  });
  for (let at = 0; at < count; at += 1_000) {
    const some = users.slice(at, at + 1_000);
    await database.execute(sql`
      insert into users (user_id, tenant_id, email, password_hash, full_name)
      select u.id::uuid, ${TENANT.id}::uuid, u.email, ${HASH}, 'Bench User'
      from unnest(${some.map(({ id }) => id)}::text[], ${some.map(({ email }) => email)}::text[]) as u(id, email)`);
  }
  return users;
}

/** Brings both sides back to what they were before a turn. */
export async function forget(
  { database, directory }: CrossingGround,
  users: readonly BenchUser[],
): Promise<void> {
  for (let at = 0; at < users.length; at += 16)
    await Promise.all(users.slice(at, at + 16).map(({ id }) => directory.delete(id)));
  await database.execute(sql`delete from users`);
  await database.execute(sql`delete from sallyport_runs`);
}
