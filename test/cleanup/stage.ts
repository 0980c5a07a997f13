import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import * as z from 'zod';
import { sql, type Database } from '../../shared/ports/database.ts';
import { groundOn, type NewUser } from '../provisioning/ground.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import type { Variables } from '../support/sallyport.ts';
import { openFolder, type Folder } from './by-hand.ts';

export const postgres = DATABASES[1];

export interface CleanupStage {
  db: MigratedDatabase;
  database: Database;
  /** A folder of the suite. */
  folder: string;
  addUser(user: NewUser): Promise<string>;
  addTenant(slug: string): Promise<string>;
  run(line: string, more?: Variables): ReturnType<Folder['run']>;
  json(line: string, more?: Variables): Promise<Record<string, unknown>>;
  /** A dump of the database, by pg_dump with these options. */
  dump(name: string, ...options: string[]): Promise<string>;
  /** Rows of users as JSON, ordered by id. */
  users(): Promise<unknown[]>;
  /** `apply` with everything that it needs. */
  readonly applied: (more?: string) => string;
}

/**
 * A database of its own for each test, in which the gate is open: two tenants that have confirmed, four people who have completed, and
 * one who is excluded.
 */
export function cleanupStage(): CleanupStage {
  const stage = {} as CleanupStage;
  let folder: Folder;
  beforeAll(async () => {
    folder = await openFolder();
    stage.folder = folder.path;
  });
  afterAll(() => folder.close());
  beforeEach(async () => {
    stage.db = await postgres.start();
    const { database, url } = stage.db;
    const ground = groundOn(database);
    let archives = 0;
    Object.assign(stage, {
      database,
      addUser: ground.addUser,
      addTenant: ground.addTenant,
      run: (line: string, more: Variables = {}) => folder.run(line, { DATABASE_URL: url, ...more }),
      json: async (line: string, more: Variables = {}) => {
        const answer = await folder.run(`${line} --json`, { DATABASE_URL: url, ...more });
        if (answer.stdout === '') throw new Error(answer.stderr);
        return { code: answer.code, ...(JSON.parse(answer.stdout) as object) };
      },
      dump: (name: string, ...options: string[]) => folder.dump(url, name, ...options),
      users: () =>
        database.query(
          sql`select to_jsonb(u) as row from users u order by user_id`,
          z.object({ row: z.unknown() }),
        ),
      applied: (more = '') => {
        archives += 1;
        return `migration cleanup apply --database ${name(url)} --archive ${stage.folder}/${name(url)}-${archives}.archive --recipient ${stage.folder}/one.pub ${more}`;
      },
    });
    await ground.addTenant('acme');
    await ground.addTenant('birch');
    for (const tenant of ['acme', 'birch'])
      for (const who of ['alice', 'bob'])
        await ground.addUser({ tenant, email: `${who}@${tenant}.example.org` });
    await database.execute(
      sql`update users set auth_method = 'dual', kanidm_user_id = user_id, kanidm_synced_at = now() - interval '40 days',
            migration_completed_at = now() - interval '35 days', migration_invited_at = now() - interval '36.5 days',
            created_at = now() - interval '300 days', failed_login_attempts = 2, locked_until = now() - interval '50 days'`,
    );
    const carol = await ground.addUser({ tenant: 'acme', email: 'carol@acme.example.org' });
    await database.execute(sql`update users set kanidm_user_id = user_id where user_id = ${carol}`);
    await database.execute(
      sql`insert into sallyport_people (user_id, excluded_at, excluded_reason) values (${carol}, now(), 'left')`,
    );
    await database.execute(
      sql`insert into sallyport_tenants (tenant_id, confirmed_at, confirmed_by) select tenant_id, now(), 'Carol' from tenants`,
    );
  });
  afterEach(() => stage.db.close());
  return stage;
}

/** Of what takes seconds. */
export const WATCHDOG = { timeout: 300_000, interval: 20 };

/** Resolves once somebody waits for a lock on a table. */
export async function awaited({ database }: Pick<CleanupStage, 'database'>, table: string): Promise<void> {
  await vi.waitUntil(
    async () =>
      (await database.execute(
        sql`select from pg_locks where not granted and relation = ${table}::text::regclass`,
      )) > 0,
    WATCHDOG,
  );
}

function name(url: string): string {
  return new URL(url).pathname.slice(1);
}

/** A session of the first user of acme, begun so long ago. */
export async function passwordSignIn(
  database: Pick<Database, 'execute'>,
  ago: string,
  method = 'jwt',
): Promise<void> {
  await database.execute(sql`
    insert into sessions (user_id, tenant_id, access_token_hash, refresh_token_hash, access_token_expires_at, refresh_token_expires_at,
      auth_method, created_at, revoked)
    select user_id, tenant_id, 'a', 'r', now(), now() + interval '1 day', ${method}, now() - ${ago}::interval, true
    from users where email = 'alice@acme.example.org'`);
}

/** Commands of the clean-up, as the tests of it run them. */
export function cleanupOf(stage: CleanupStage) {
  const backup = () => stage.dump('backup.dump', '--format=custom');
  return {
    backup,
    /** Expects exit code 1 with this reason, and unchanged rows of `users`. */
    closed: async (line: string, why: RegExp): Promise<void> => {
      const before = await stage.users();
      const answer = await stage.run(line);
      expect(answer.code, answer.stdout).toBe(1);
      expect(answer.stderr + answer.stdout).toMatch(why);
      expect(await stage.users()).toEqual(before);
    },
    apply: async (more = ''): Promise<Record<string, unknown> & { readonly archive: string }> => {
      const done = await stage.json(stage.applied(`--backup ${await backup()} ${more}`));
      expect(done).toMatchObject({ code: 0, ok: true });
      return { ...done, archive: z.string().parse(done['archive']) };
    },
    restore: (archive: string, key = 'one.key') =>
      `migration cleanup restore ${archive} --key ${stage.folder}/${key}`,
  };
}
