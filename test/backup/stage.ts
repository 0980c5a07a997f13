import { once } from 'node:events';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, expect, vi } from 'vitest';
import { MANIFEST_FILE } from '../../shared/backup/records.ts';
import { startPostgres, type PostgresService } from '../services/postgres.ts';
import { sallyport, spawnSallyport, type Variables } from '../support/sallyport.ts';

export const WATCHDOG = { timeout: 300_000, interval: 20 };

/** Zitadel's in little: two schemas, a role of their own, rows that are told apart, and a setting of the database. */
export const ZITADEL = `
  create schema eventstore; create schema projections;
  create table eventstore.events2 (instance_id text, aggregate_id text, sequence bigint, payload jsonb, primary key (instance_id, aggregate_id, sequence));
  insert into eventstore.events2 select 'i1', 'a' || n, 1, jsonb_build_object('n', n) from generate_series(1, 500) n;
  create table projections.users14 (id text primary key, username text unique not null, instance_id text);
  insert into projections.users14 select 'u' || n, 'user' || n, 'i1' from generate_series(1, 40) n;
  create table projections."odd ""name" (id int);
  create view projections.login_names3 as select id as user_id, username as login_name from projections.users14;
  create sequence eventstore.system_seq start 7;
  grant usage on schema projections to reader; grant select on projections.users14 to reader;`;

export interface BackupStage {
  server: PostgresService;
  /** BACKUP_DIR. */
  dir: string;
  /** With a password, which nothing may print. */
  zitadelUrl: string;
  databaseUrl: string;
  variables: Variables;
  run(...args: readonly string[]): ReturnType<typeof sallyport>;
  runWith(variables: Variables, ...args: readonly string[]): ReturnType<typeof sallyport>;
  spawn(...args: readonly string[]): ReturnType<typeof spawnSallyport>;
  json(...args: readonly string[]): Promise<Record<string, unknown>>;
  /** Ids of whole backups, the newest first. */
  backups(): readonly string[];
  query(url: string, statement: string): Promise<Record<string, unknown>[]>;
  databases(): Promise<readonly string[]>;
  users(): Promise<number>;
  readonly notes: () => Promise<unknown[]>;
  /** A backup of 40 users and notes 1 and 2, without making one; its id. `as`: its folder has this one. */
  readonly prepared: (as?: string) => Promise<string>;
  /** A backup of 40 users and notes 1 and 2, after which there are 41 users and no notes; its id. */
  readonly changed: () => Promise<string>;
}

export const PASSWORD = 'a-password-that-nothing-prints';

/** A Postgres of its own with databases of Zitadel's shape and of ours, anew for each test. */
export function backupStage(): BackupStage {
  const stage = {} as BackupStage;
  let parent: string;
  beforeAll(async () => {
    const server = await startPostgres();
    if (server === undefined) throw new Error('no Postgres');
    stage.server = server;
    parent = await mkdtemp(join(tmpdir(), 'sallyport-backup-'));
    await execute(server.url, 'create role zitadel login; create role reader; create role app login');
    const likeZitadel = await server.createDatabase('like_zitadel');
    await execute(likeZitadel, 'alter database like_zitadel owner to zitadel');
    await execute(likeZitadel, `set role zitadel; ${ZITADEL}`);
    await execute(
      await server.createDatabase('like_app'),
      'create table notes (id int primary key); insert into notes values (1), (2)',
    );
  });
  afterAll(async () => {
    await stage.server.close();
    await rm(parent, { recursive: true, force: true });
  });
  let made = 0;
  /** One for all tests: a backup goes where the variables lead, whatever database it is of. */
  let prepared: { readonly id: string; readonly folder: string } | undefined;
  const prepare = async () => {
    const variables = { ...stage.variables, BACKUP_DIR: join(parent, 'prepared') };
    const { stdout } = await sallyport(variables, 'backup', 'create', '--json');
    const { backup: id, folder } = JSON.parse(stdout) as { backup: string; folder: string };
    return { id, folder };
  };
  beforeEach(async () => {
    const { server } = stage;
    made += 1;
    stage.dir = join(parent, `backups-${made}`);
    const zitadel = `zitadel${made}`;
    stage.zitadelUrl = withPassword(await server.createDatabase(zitadel, 'like_zitadel'));
    await execute(
      server.url,
      `alter database ${zitadel} owner to zitadel;
       alter database ${zitadel} set search_path to projections, "$user", public;
       alter database ${zitadel} set work_mem to '5MB'`,
    );
    stage.databaseUrl = withPassword(await server.createDatabase(`app${made}`, 'like_app'));
    stage.variables = {
      BACKUP_DIR: stage.dir,
      ZITADEL_DATABASE_URL: stage.zitadelUrl,
      DATABASE_URL: stage.databaseUrl,
      ACCESS_RULES_PREV: '[]',
      DEFAULT_GRANTS: '[]',
      ACCESS_RULES: '[{"path":"/public/*rest","method":"GET","feature":"public_access"}]',
    };
  });
  return Object.assign(stage, {
    run: (...args: readonly string[]) => sallyport(stage.variables, 'backup', ...args),
    runWith: (more: Variables, ...args: readonly string[]) =>
      sallyport({ ...stage.variables, ...more }, 'backup', ...args),
    spawn: (...args: readonly string[]) => spawnSallyport(stage.variables, 'backup', ...args),
    json: async (...args: readonly string[]) => {
      const { code, stdout, stderr } = await stage.run(...args, '--json');
      if (stdout === '') throw new Error(stderr);
      return { code, ...(JSON.parse(stdout) as object) };
    },
    backups: () =>
      readdirSync(stage.dir)
        .filter(
          (name) => /^backup-\d+$/.test(name) && readdirSync(join(stage.dir, name)).includes(MANIFEST_FILE),
        )
        .map((name) => name.slice('backup-'.length))
        .sort()
        .reverse(),
    query: (url: string, statement: string) => execute(url, statement),
    databases: async () =>
      (await execute(stage.server.url, 'select datname::text from pg_database order by 1')).map(
        ({ datname }) => String(datname),
      ),
    notes: async () =>
      (await execute(stage.databaseUrl, 'select id from notes order by id')).map(({ id }) => id),
    prepared: async (as?: string) => {
      prepared ??= await prepare();
      const { id, folder } = prepared;
      await cp(folder, join(stage.dir, `backup-${as ?? id}`), { recursive: true });
      return as ?? id;
    },
    changed: async () => {
      const id = await stage.prepared();
      await execute(stage.zitadelUrl, "insert into projections.users14 values ('new', 'new', 'i1')");
      await execute(stage.databaseUrl, 'delete from notes');
      return id;
    },
    users: async () => {
      const [row] = await execute(stage.zitadelUrl, 'select count(*)::int as n from projections.users14');
      return Number(row?.['n']);
    },
  });
}

function withPassword(url: string): string {
  const changed = new URL(url);
  changed.password = PASSWORD;
  return changed.href;
}

export async function execute(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const result = (await client.query(statement)) as { rows?: Record<string, unknown>[] };
    return result.rows ?? [];
  } finally {
    await client.end();
  }
}

/** For `toMatchObject` and its like. */
export const containing = (text: string): unknown => expect.stringContaining(text);

export const folderOf = (stage: BackupStage, id = stage.backups()[0] ?? ''): string =>
  join(stage.dir, `backup-${id}`);
export const modeOf = (path: string): number => statSync(path).mode & 0o777;

/** Until the newest journal of a kind has a record of this step. */
export function recorded(stage: BackupStage, kind: string, step: string): Promise<void> {
  return vi.waitUntil(() => {
    try {
      const runs = readdirSync(stage.dir)
        .filter((name) => name.startsWith(`${kind}-`))
        .sort();
      const newest = runs.at(-1) ?? '';
      return readFileSync(join(stage.dir, newest, 'journal.jsonl'), 'utf8').includes(`"step":"${step}`);
    } catch {
      return false;
    }
  }, WATCHDOG) as Promise<unknown> as Promise<void>;
}

/** Everything that a child printed, once it has ended. */
export async function ended(child: ReturnType<typeof spawnSallyport>) {
  const [stdout, stderr] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'close'),
  ]);
  return { code: child.exitCode, signal: child.signalCode, stdout, stderr };
}
