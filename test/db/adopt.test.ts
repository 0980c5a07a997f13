import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { baseline, LAST_LEGACY, planBaseline } from '../../cli/db/baseline.ts';
import { readCatalog, type Catalog } from '../../cli/db/catalog.ts';
import { readExpected, type Expected } from '../../cli/db/expected.ts';
import { readMigrations, type MigrationFile } from '../../cli/db/files.ts';
import { readLedger } from '../../cli/db/ledger.ts';
import { migrate } from '../../cli/db/migrate.ts';
import { verify } from '../../cli/db/verify.ts';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import type { DatabaseSession } from '../../shared/database/session.ts';
import { postgresMissing, sharedPostgres, type PostgresService } from '../services/postgres.ts';
import { connect, dump, makeLegacy, MIGRATIONS, options, sqlxUpTo } from './support.ts';

describe.skipIf(postgresMissing)('adopting a database (needs the postgresql package)', () => {
  let service: PostgresService;
  let files: MigrationFile[];
  let expected: Expected;
  let url: string;
  let session: DatabaseSession;
  beforeAll(async () => {
    service = await sharedPostgres();
    files = await readMigrations(MIGRATIONS);
    expected = await readExpected(MIGRATIONS);
  });
  const freshCatalog = async (): Promise<Catalog> => {
    const fresh = await openPgSession(await service.createDatabase('fresh'));
    await migrate(fresh, files, options);
    const catalog = await readCatalog(fresh);
    await fresh.close();
    return catalog;
  };
  beforeEach(async () => {
    url = await service.createDatabase('adopted');
    session = await openPgSession(url);
    return () => session.close();
  });

  it.each([
    ['by its tables', []],
    ['by the record of sqlx', sqlxUpTo(13)],
  ])('touches nothing that is there, %s', async (_how, sqlx) => {
    await makeLegacy(url, sqlx);
    const before = await dump(url);
    await baseline(session, files, expected, options);
    expect(await dump(url)).toBe(before);
    const ledger = await readLedger(session);
    expect(ledger.map(({ name, origin }) => `${origin} ${name}`)).toEqual(
      files.filter(({ version }) => version <= LAST_LEGACY).map(({ name }) => `baselined ${name}`),
    );
  });

  it('leads to the schema of a fresh install', async () => {
    await makeLegacy(url);
    await baseline(session, files, expected, options);
    expect(await migrate(session, files, options)).toEqual(files.slice(13).map(({ name }) => name));
    expect(await readCatalog(session)).toEqual(await freshCatalog());
    expect(await verify(session, files, expected)).toEqual([]);
  });

  it('takes over later steps that sqlx has run already', async () => {
    await makeLegacy(url, sqlxUpTo(14));
    await baseline(session, files, expected, options);
    expect(await migrate(session, files, options)).toEqual(files.slice(14).map(({ name }) => name));
  });

  it('goes on where the later steps were run by hand', async () => {
    await makeLegacy(url);
    const client = await connect(url);
    await client.query(`alter table users alter column password_hash drop not null;
      alter table users add column auth_method varchar(50) not null default 'password';
      alter table users add constraint users_auth_method_check check (auth_method in ('password', 'kanidm', 'dual'));
      create index idx_users_auth_method on users (auth_method)`);
    await client.end();
    await baseline(session, files, expected, options);
    await migrate(session, files, options);
    expect(await readCatalog(session)).toEqual(await freshCatalog());
  });

  it.each([
    ['a step failed', [...sqlxUpTo(12), { version: '20250110000013', success: false }], /failed half-way/],
    ['it stands before the known shape', sqlxUpTo(7), /20250110000008 is missing/],
    ['it went another way', [...sqlxUpTo(13), { version: '20250301000000' }], /20250301000000.*unknown/],
    ['its passwords are gone', [...sqlxUpTo(13), { version: '20250199999999' }], /20250199999999.*unknown/],
  ])('refuses a database of sqlx when %s, and changes nothing', async (_why, sqlx, message) => {
    await makeLegacy(url, sqlx);
    await expect(baseline(session, files, expected, options)).rejects.toThrow(message);
    expect(await readLedger(session)).toEqual([]);
  });

  it('names every column and index that is missing', async () => {
    await makeLegacy(url);
    const client = await connect(url);
    await client.query('alter table users drop column locked_until; drop index uq_tenants_slug');
    await client.end();
    await expect(planBaseline(session, files, expected)).rejects.toThrow(
      'column users.locked_until is missing\nindex on tenants UNIQUE btree (slug) is missing',
    );
  });

  it('refuses an empty database and one that has a record', async () => {
    await expect(baseline(session, files, expected, options)).rejects.toThrow(/empty/);
    await migrate(session, files, options);
    await expect(baseline(session, files, expected, options)).rejects.toThrow(/already has a record/);
  });

  it('marks users who are linked already as moved, at the time they were linked, and no one else', async () => {
    await makeLegacy(url);
    const client = await connect(url);
    await client.query(`insert into tenants (name, slug) values ('t', 't');
      insert into users (tenant_id, email, password_hash, kanidm_user_id, kanidm_synced_at)
      select tenant_id, n || '@example.org', 'x',
        case when n % 2 = 0 then gen_random_uuid() end,
        case when n % 2 = 0 then '2025-01-01'::timestamptz + n * interval '1 minute' end
      from tenants, generate_series(1, 5000) n`);
    await baseline(session, files, expected, options);
    await migrate(session, files, options);
    const { rows } =
      await client.query(`select auth_method, kanidm_user_id is not null as linked, count(*)::int
      from users where migration_completed_at is not distinct from kanidm_synced_at group by 1, 2 order by 1`);
    await client.end();
    expect(rows).toEqual([
      { auth_method: 'kanidm', linked: true, count: 2500 },
      { auth_method: 'password', linked: false, count: 2500 },
    ]);
  });
});
