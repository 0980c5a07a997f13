import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { z } from 'zod';
import { skeleton } from '../../shared/adapters/unhomoglyph/skeleton.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { Directory } from '../../shared/ports/directory.ts';
import { syncGroups } from '../../shared/provisioning/groups.ts';
import type { PeopleDeps } from '../../shared/provisioning/deps.ts';
import { openBooks } from '../../shared/provisioning/run.ts';
import type { DatabaseKind, MigratedDatabase } from '../support/databases.ts';
import { memoryDirectory, type MemoryDirectory, type MemoryOptions } from './memory-directory.ts';

export const HASH = `$2b$10$${'a'.repeat(53)}`;

/** Every user without an account. */
export const ALL = { tenant: null, limit: null, passwords: true, listed: null };

export interface NewUser {
  readonly id?: string;
  readonly tenant: string;
  readonly email: string;
  readonly role?: string;
  readonly status?: string;
  readonly hash?: string | null;
  readonly name?: string | null;
}

const Row = z.object({
  user_id: z.string(),
  email: z.string(),
  auth_method: z.string(),
  kanidm_user_id: z.string().nullable(),
  synced: z.boolean(),
  completed: z.boolean(),
  link: z.string().nullable(),
});

export interface Ground {
  readonly database: Database;
  directory: MemoryDirectory;
  addTenant(slug: string): Promise<string>;
  addUser(user: NewUser): Promise<string>;
  rows(): Promise<z.output<typeof Row>[]>;
  deps(directory?: Directory, over?: Partial<PeopleDeps>): PeopleDeps;
  sync(): Promise<unknown>;
}

/** A database of the tests around it, empty before each of them, beside a new directory. */
export function setGround(kind: DatabaseKind, options: MemoryOptions = {}): Ground {
  let migrated: MigratedDatabase;
  const ground = { directory: memoryDirectory(options) } as { -readonly [Key in keyof Ground]: Ground[Key] };
  beforeAll(async () => {
    migrated = await kind.start();
    Object.assign(ground, groundOn(migrated.database), { directory: ground.directory });
  });
  afterAll(() => migrated.close());
  beforeEach(async () => {
    ground.directory = memoryDirectory(options);
    ground.deps = (directory = ground.directory, over = {}) => depsOf(migrated.database, directory, over);
    ground.sync = () => syncGroups(null, false, ground.deps());
    for (const table of EMPTIED) await migrated.database.execute(table);
  });
  return ground;
}

const EMPTIED = [
  sql`delete from sallyport_runs`,
  sql`delete from sallyport_leases`,
  sql`delete from sallyport_audit`,
  sql`delete from sallyport_switches`,
  sql`delete from tenants`,
];

/** Without a directory of its own. */
export function groundOn(database: Database): Omit<Ground, 'directory' | 'deps' | 'sync'> {
  const tenants = new Map<string, string>();
  return {
    database,
    async addTenant(slug) {
      const id = randomUUID();
      tenants.set(slug, id);
      await database.execute(
        sql`insert into tenants (tenant_id, name, slug) values (${id}, ${slug}, ${slug})`,
      );
      return id;
    },
    async addUser({ id = randomUUID(), tenant, email, ...rest }) {
      const { role = 'user', status = 'active', hash = HASH, name = `Name of ${email}` } = rest;
      await database.execute(sql`
        insert into users (user_id, tenant_id, email, password_hash, full_name, role, status)
        values (${id}, ${tenants.get(tenant) ?? ''}, ${email}, ${hash}, ${name}, ${role}, ${status})`);
      return id;
    },
    rows: () =>
      database.query(
        sql`select u.user_id, u.email, u.auth_method, u.kanidm_user_id, u.kanidm_synced_at is not null as synced,
              u.migration_completed_at is not null as completed,
              (select l.subject from sallyport_links l where l.user_id = u.user_id) as link
            from users u order by u.email, u.user_id`,
        Row,
      ),
  };
}

export function depsOf(database: Database, directory: Directory, over: Partial<PeopleDeps> = {}): PeopleDeps {
  return {
    ...openBooks(database, { ms: 0 }),
    directory,
    skeleton,
    clock: { now: () => Date.now() },
    random: { uuid: randomUUID },
    who: 'operator',
    signal: new AbortController().signal,
    sleep: () => Promise.resolve(),
    waitMs: 0,
    onRun: () => undefined,
    onProgress: () => undefined,
    onWarning: () => undefined,
    ...over,
  };
}
