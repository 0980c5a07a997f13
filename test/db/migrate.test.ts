import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readCatalog } from '../../cli/db/catalog.ts';
import { readExpected, type Expected } from '../../cli/db/expected.ts';
import { migrationOf, readMigrations, type MigrationFile } from '../../cli/db/files.ts';
import { readLedger } from '../../cli/db/ledger.ts';
import { migrate, planRun } from '../../cli/db/migrate.ts';
import { verify } from '../../cli/db/verify.ts';
import { startPostgres as startPglite } from '../../dev/postgres.ts';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import type { DatabaseSession } from '../../shared/database/session.ts';
import { postgresMissing, sharedPostgres, type PostgresService } from '../services/postgres.ts';
import { FULL } from '../support/scale.ts';
import { connect, dump, makeLegacy, MIGRATIONS, options } from './support.ts';

const STALE = 'after a new migration: npx tsx scripts/migrations-schema.ts';

let files: MigrationFile[];
let expected: Expected;
beforeAll(async () => {
  files = await readMigrations(MIGRATIONS);
  expected = await readExpected(MIGRATIONS);
});

describe.skipIf(postgresMissing)('migrating a Postgres (needs the postgresql package)', () => {
  let service: PostgresService;
  let url: string;
  let session: DatabaseSession;
  beforeAll(async () => {
    service = await sharedPostgres();
  });
  beforeEach(async () => {
    url = await service.createDatabase('fresh');
    session = await openPgSession(url);
    return () => session.close();
  });

  it('makes an empty database exactly what schema/*.json promises, at both of its marks', async () => {
    await migrate(
      session,
      files.filter(({ version }) => version <= '20250110000013'),
      options,
    );
    expect(await readCatalog(session)).toEqual(expected.legacy);
    await migrate(session, files, options);
    expect(await readCatalog(session), STALE).toEqual(expected.current);
    expect(await verify(session, files, expected)).toEqual([]);
  });

  it('does nothing the second time', async () => {
    expect(await migrate(session, files, options)).toEqual(files.map(({ name }) => name));
    const before = await dump(url);
    expect(await migrate(session, files, options)).toEqual([]);
    expect(await dump(url)).toBe(before);
  });

  it('changes nothing when it only plans, not even to keep its own record', async () => {
    const before = await dump(url);
    expect((await planRun(session, files)).pending).toEqual(files);
    expect(await dump(url)).toBe(before);
    expect(await readLedger(session)).toEqual([]);
  });

  it('leaves passwords where they are: the gated file is not run', async () => {
    await migrate(session, files, options);
    expect((await readCatalog(session)).columns).toContain('users.password_hash text');
  });

  it('gives time-ordered version 7 ids', async () => {
    await migrate(session, files, options);
    const client = await connect(url);
    const { rows } = await client.query<{ id: string; ms: string }>(
      `select id, ('x' || replace(left(id::text, 13), '-', ''))::bit(48)::bigint as ms
       from (select uuid_generate_v7() as id from generate_series(1, 50)) as made`,
    );
    const { rows: now } = await client.query<{ ms: string }>(`select extract(epoch from now()) * 1000 as ms`);
    await client.end();
    expect(new Set(rows.map(({ id }) => id)).size).toBe(50);
    for (const { id, ms } of rows) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(Math.abs(Number(ms) - Number(now[0]!.ms))).toBeLessThan(60_000);
    }
  });

  it('keeps the files before one that fails, nothing of that one, and goes on from it', async () => {
    const good = migrationOf('20990101000001_good.sql', 'create table good (id int)');
    const bad = migrationOf('20990101000002_bad.sql', 'create table half (id int); select 1/0;');
    await expect(migrate(session, [good, bad], options)).rejects.toThrow(
      /20990101000002_bad\.sql.*division by zero/,
    );
    expect((await readCatalog(session)).columns).toEqual(['good.id integer']);
    const mended = migrationOf(bad.name, 'create table half (id int);');
    expect(await migrate(session, [good, mended], options)).toEqual([mended.name]);
  });

  it('refuses an edited file before it runs anything', async () => {
    const first = files.slice(0, 3);
    await migrate(session, first, options);
    const edited = migrationOf(first[2]!.name, `${first[2]!.text}\n-- changed`);
    const before = await dump(url);
    await expect(
      migrate(session, [...first.slice(0, 2), edited, ...files.slice(3)], options),
    ).rejects.toThrow(/edited/);
    expect(await verify(session, [...first.slice(0, 2), edited], expected)).toContainEqual(
      expect.stringMatching(/uuid_generate_v7\.sql: edited/),
    );
    expect(await dump(url)).toBe(before);
  });

  it('refuses a file that comes too late', async () => {
    await migrate(session, [files[0]!, files[2]!], options);
    await expect(migrate(session, files, options)).rejects.toThrow(/out of order/);
  });

  it('sends a database that has the tables to baseline instead of failing half-way', async () => {
    await makeLegacy(url);
    await expect(migrate(session, files, options)).rejects.toThrow(/db baseline/);
  });

  it('builds an index anew that a cut-off run left invalid', async () => {
    await migrate(session, files.slice(0, 14), options);
    const client = await connect(url);
    await client.query('alter table users add column auth_method varchar(50) not null default $$password$$');
    await client.query('create index idx_users_auth_method on users (auth_method)');
    await client.query(
      `update pg_index set indisvalid = false where indexrelid = 'idx_users_auth_method'::regclass`,
    );
    await client.end();
    expect(await verify(session, files, expected)).toContainEqual(
      expect.stringContaining('idx_users_auth_method is invalid'),
    );
    await migrate(session, files, options);
    expect(await verify(session, files, expected)).toEqual([]);
  });

  it('gives way to a busy table and comes again', async () => {
    await migrate(session, files.slice(0, 13), options);
    const busy = await connect(url);
    await busy.query('begin; select from users');
    const attempts: number[] = [];
    const sleep = async (): Promise<void> => {
      if (attempts.length === 2) await busy.query('commit');
    };
    const onLockBusy = (_file: MigrationFile, attempt: number): unknown => attempts.push(attempt);
    const patient = { ...options, lockTimeoutMs: 20, sleep, onLockBusy };
    expect(await migrate(session, files.slice(0, 14), patient)).toEqual([files[13]!.name]);
    expect(attempts).toEqual([1, 2]);
    await busy.end();
  });

  it('gives up on a table that never becomes free, and says so', async () => {
    await migrate(session, files.slice(0, 13), options);
    const busy = await connect(url);
    await busy.query('begin; select from users');
    const impatient = { ...options, lockTimeoutMs: 1, sleep: () => Promise.resolve() };
    await expect(migrate(session, files, impatient)).rejects.toThrow(/password_hash_nullable\.sql.*55P03/);
    await busy.end();
  });

  it('would drop exactly the password and its traces in the gated file', async () => {
    await migrate(session, files, options);
    const before = (await readCatalog(session)).columns;
    const gated = join(MIGRATIONS, 'gated/20250199999999_remove_password_auth.sql');
    await session.script(await readFile(gated, 'utf8'));
    const after = (await readCatalog(session)).columns;
    const gone = before.filter((line) => !after.includes(line)).map((line) => line.split(' ')[0]);
    expect(gone.sort()).toEqual(
      [
        'auth_method',
        'failed_login_attempts',
        'kanidm_user_id',
        'locked_until',
        'migration_completed_at',
        'migration_invited_at',
        'password_changed_at',
        'password_hash',
      ].map((column) => `users.${column}`),
    );
    expect(after).toContain('users.kanidm_user_id uuid NOT NULL');
  });
});

// The demo migrates one each time.
describe.skipIf(!FULL)('migrating a PGlite (in the full form alone)', () => {
  it('gives the same schema as a Postgres, without any extension', async () => {
    const pglite = await startPglite();
    const session = await openPgSession(pglite.url);
    await migrate(session, files, options);
    expect(await readCatalog(session), STALE).toEqual(expected.current);
    expect(await verify(session, files, expected)).toEqual([]);
    await session.close();
    await pglite.close();
  });
});
