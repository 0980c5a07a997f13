import { describe, expect, it } from 'vitest';
import { missingFrom, missingOfLegacy } from '../../cli/db/expected.ts';
import { readExpected } from '../../cli/db/expected.ts';
import { migrationOf, readMigrations } from '../../cli/db/files.ts';
import { planMigrations } from '../../cli/db/migrate.ts';
import { splitStatements } from '../../cli/db/execute.ts';
import { faultsOfSqlx } from '../../cli/db/baseline.ts';
import { MIGRATIONS } from './support.ts';

const one = migrationOf('20250101000001_one.sql', 'select 1');
const two = migrationOf('20250101000002_two.sql', 'select 2');
const three = migrationOf('20250101000003_three.sql', 'select 3');

describe('the plan', () => {
  it('runs what is not recorded, in order', () => {
    expect(planMigrations([one, two, three], [one])).toEqual({ pending: [two, three], faults: [] });
  });

  it('refuses a file edited after it ran', () => {
    const edited = migrationOf(one.name, 'select 11');
    expect(planMigrations([edited], [one]).faults).toEqual([expect.stringMatching(/one\.sql: edited/)]);
  });

  it('refuses a recorded file that is gone', () => {
    expect(planMigrations([two], [one, two]).faults).toEqual([expect.stringMatching(/one\.sql: missing/)]);
  });

  it('refuses a new file older than one that ran', () => {
    expect(planMigrations([one, two, three], [one, three]).faults).toEqual([
      expect.stringMatching(/two\.sql: out of order/),
    ]);
  });
});

describe('a migration file', () => {
  it('has the same checksum in a checkout with CRLF', () => {
    expect(migrationOf('x', 'a;\r\nb;').checksum).toBe(migrationOf('x', 'a;\nb;').checksum);
  });

  it('runs statement by statement only when it says so on a line of its own', () => {
    expect(migrationOf('x', '-- sallyport:no-transaction\nselect 1').transactional).toBe(false);
    expect(migrationOf('x', "select '-- sallyport:no-transaction'").transactional).toBe(true);
  });
});

describe('the files of the repository', () => {
  it('never include the destructive one', async () => {
    const names = (await readMigrations(MIGRATIONS)).map(({ name }) => name);
    expect(names).toContain('20250110000016_sessions_kanidm_support.sql');
    expect(names.join()).not.toContain('remove_password_auth');
  });

  it('leave transactions to the runner', async () => {
    for (const { name, text } of await readMigrations(MIGRATIONS)) {
      const starts = splitStatements(text).filter(
        (s) => /^(?:begin|commit|rollback|start)\b/im.exec(s)?.index === 0,
      );
      expect(starts, name).toEqual([]);
    }
  });

  it('build indexes on tables with rows concurrently, and name them in the resumable form', async () => {
    for (const { name, text } of (await readMigrations(MIGRATIONS)).filter((f) => !f.transactional)) {
      const indexes = splitStatements(text).filter((s) => /\bcreate\s+(?:unique\s+)?index\b/i.test(s));
      for (const index of indexes) expect(index, name).toMatch(/INDEX CONCURRENTLY IF NOT EXISTS idx_\w+/);
    }
  });
});

describe('splitting a file', () => {
  it.each([
    ['a; b;', ['a', 'b']],
    ["select ';'; select 'it''s; ok'", ["select ';'", "select 'it''s; ok'"]],
    [String.raw`select E'a\';b'; c`, [String.raw`select E'a\';b'`, 'c']],
    ['do $x$ begin; $$ ; $$ end; $x$; next', ['do $x$ begin; $$ ; $$ end; $x$', 'next']],
    ['select "a;b" -- no; split\n; /* ; */ c', ['select "a;b" -- no; split', '/* ; */ c']],
    ['-- only a comment;\n', []],
    ['select $1; select 2', ['select $1', 'select 2']],
  ])('%j', (text, statements) => {
    expect(splitStatements(text)).toEqual(statements);
  });
});

describe('the record of sqlx', () => {
  const rows = (...versions: string[]) =>
    versions.map((version) => ({ version, description: 'd', success: true }));
  const files = [one, two, three];

  it('is taken over when it is whole', () => {
    expect(faultsOfSqlx(rows(one.version, two.version), files, two.version)).toEqual([]);
  });

  it.each([
    ['a failed one', [{ ...rows(one.version)[0]!, success: false }, ...rows(two.version)], /failed half-way/],
    ['an unknown one', rows(one.version, two.version, '20990101000000'), /20990101000000.*unknown/],
    ['one too few', rows(one.version), /20250101000002 is missing/],
    ['a gap', rows(one.version, three.version), /20250101000002 is missing/],
  ])('is refused with %s', (_name, found, fault) => {
    expect(faultsOfSqlx(found, files, two.version)).toContainEqual(expect.stringMatching(fault));
  });
});

describe('comparing schemas', () => {
  it('finds nothing between a schema and itself', async () => {
    const expected = await readExpected(MIGRATIONS);
    expect(missingFrom(expected.current, expected)).toEqual([]);
    expect(missingOfLegacy(expected.legacy, expected)).toEqual([]);
  });

  it('accepts an adopted schema with other checks and types of its own, but not without a column or an index', async () => {
    const expected = await readExpected(MIGRATIONS);
    const own = {
      ...expected.legacy,
      constraints: expected.legacy.constraints.filter((line) => line.includes('FOREIGN KEY')),
      columns: expected.legacy.columns.map((line) =>
        line.replace('users.role character varying(50)', 'users.role text'),
      ),
    };
    expect(missingOfLegacy(own, expected)).toEqual([]);
    const poorer = {
      ...own,
      columns: own.columns.filter((line) => !line.startsWith('users.email ')),
      indexes: own.indexes.filter((line) => !line.includes('(slug)')),
    };
    expect(missingOfLegacy(poorer, expected)).toEqual([
      'column users.email is missing',
      'index on tenants UNIQUE btree (slug) is missing',
    ]);
  });

  it('finds an added column of another type and a constraint that was not validated', async () => {
    const expected = await readExpected(MIGRATIONS);
    const drifted = {
      ...expected.current,
      columns: expected.current.columns.map((line) => line.replace(/^(users\.auth_method) .*/, '$1 text')),
      constraints: expected.current.constraints.map((line) =>
        line.startsWith('sessions CHECK') ? `${line} NOT VALID` : line,
      ),
    };
    expect(missingFrom(drifted, expected)).toEqual([
      'column users.auth_method is not character varying(50) NOT NULL',
      expect.stringMatching(/^constraint on sessions CHECK.* is missing or not validated$/),
    ]);
  });
});

it('a constraint that was dumped and restored is the same one, though Postgres writes its list in another way', () => {
  const declared =
    "users CHECK ((a)::text = ANY ((ARRAY['x'::character varying, 'it''s'::character varying])::text[]))";
  const restored =
    "users CHECK ((a)::text = ANY (ARRAY[('x'::character varying)::text, ('it''s'::character varying)::text]))";
  const none = { columns: [], indexes: [], constraints: [], triggers: [], functions: [] };
  const expected = { legacy: none, current: { ...none, constraints: [declared] } };
  expect(missingFrom({ ...none, constraints: [restored] }, expected)).toEqual([]);
  const other = restored.replace("'x'", "'y'");
  expect(missingFrom({ ...none, constraints: [other] }, expected)).toHaveLength(1);
});
