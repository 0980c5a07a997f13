import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { postgresMissing, sharedPostgres, type PostgresService } from '../services/postgres.ts';
import { emptyDatabase } from '../support/databases.ts';
import { cli, connect, makeLegacy, sqlxUpTo } from './support.ts';

const nameOf = (url: string): string => new URL(url).pathname.slice(1);

describe('sallyport db', () => {
  let url: string;
  beforeAll(async () => {
    const empty = await emptyDatabase();
    url = empty.url.replace('postgres@', 'postgres:s3cret@');
    return () => empty.close();
  });

  it('plans, runs, lists and verifies, and never shows the password of its URL', async () => {
    const planned = await cli(url, 'migrate', '--dry-run', '--json');
    expect(JSON.parse(planned.stdout)).toMatchObject({ dry_run: true });
    const unverified = await cli(url, 'verify');
    expect(unverified).toMatchObject({ code: 1 });
    expect(unverified.stdout).toContain('20250110000001_uuid_ossp.sql: pending');
    expect(unverified.stdout).not.toContain('db baseline');
    const ran = await cli(url, 'migrate');
    expect(ran.stdout).toMatch(/: \d+ ran, up to date/);
    expect(ran.stderr).toContain('✓ 20250110000016_sessions_kanidm_support.sql');
    const status = await cli(url, 'status', '--json');
    const { migrations } = JSON.parse(status.stdout) as { migrations: { state: string }[] };
    expect(new Set(migrations.map(({ state }) => state))).toEqual(new Set(['applied']));
    const verified = await cli(url, 'verify');
    expect(verified).toMatchObject({ code: 0 });
    const everything = [planned, unverified, ran, status, verified].map(
      ({ stdout, stderr }) => stdout + stderr,
    );
    expect(everything.join('')).not.toContain('s3cret');
  });

  it.each([
    ['no DATABASE_URL', '', ['status'], 1, /DATABASE_URL is missing: set it, as in DATABASE_URL=postgres:/],
    ['a URL of another kind', 'mysql://me:s3cret@db/x', ['status'], 1, /not a postgres:\/\/ URL/],
    ['a pooler', 'postgres://me:s3cret@ep-a-pooler.eu.neon.tech/x', ['migrate'], 1, /direct address/],
    ['a server that is away', 'postgres://me:s3cret@127.0.0.1:1/x', ['migrate'], 1, /ECONNREFUSED/],
    ['an unbounded wait for locks', '', ['migrate', '--lock-timeout', '0'], 2, /from 1 to/],
    ['an unknown verb', '', ['undo'], 2, /unknown command/],
  ])('refuses %s in one line without the password', async (_what, database, args, code, message) => {
    const answer = await cli(database, ...args);
    expect(answer).toMatchObject({ code, stdout: '' });
    expect(answer.stderr).toMatch(message);
    expect(answer.stderr).not.toMatch(/s3cret|\n +at /);
  });
});

describe.skipIf(postgresMissing)('sallyport db (needs the postgresql package)', () => {
  const HINT = expect.stringMatching(/no record of migrations: .*`sallyport db baseline`/) as unknown;
  let service: PostgresService;
  let url: string;
  let serial = 0;
  beforeAll(async () => {
    service = await sharedPostgres();
  });
  beforeEach(async () => {
    serial += 1;
    url = await service.createDatabase('cli');
  });

  it.each([
    ['of its own', []],
    ['of sqlx', sqlxUpTo(13)],
  ])('says in status and verify how it is adopted, with tables %s, until it is', async (_whose, sqlx) => {
    await makeLegacy(url, sqlx);
    expect(await cli(url, 'status')).toMatchObject({ code: 0, stdout: HINT });
    const status = await cli(url, 'status', '--json');
    expect(JSON.parse(status.stdout)).toMatchObject({ faults: [HINT] });
    expect(await cli(url, 'verify')).toMatchObject({ code: 1, stdout: HINT });
    await cli(url, 'baseline');
    for (const verb of ['status', 'verify'])
      expect((await cli(url, verb)).stdout).not.toContain('db baseline');
  });

  it('verify names what differs: whether a column may be null, or its type', async () => {
    await cli(url, 'migrate');
    const client = await connect(url);
    await client.query(`alter table users alter column password_hash set not null;
      alter table users alter column auth_method drop not null;
      alter table users alter column migration_completed_at type text`);
    await client.end();
    const { code, stdout } = await cli(url, 'verify', '--json');
    expect(code).toBe(1);
    expect((JSON.parse(stdout) as { differences: string[] }).differences.sort()).toEqual([
      'column users.auth_method allows null, but must be NOT NULL',
      'column users.migration_completed_at is not timestamp with time zone',
      'column users.password_hash is NOT NULL, but must allow null',
    ]);
  });

  it.each([
    ['an empty database', false],
    ['tables of another owner', true],
  ])(
    'says what to grant a role that lacks a right, one by one until it has all: %s',
    async (_what, legacy) => {
      if (legacy) await makeLegacy(url);
      const owner = await connect(url);
      await owner.query(`create role "mover-${serial}" login`);
      const asRole = url.replace('postgres@', `mover-${serial}@`);
      const given: string[] = [];
      const verb = legacy ? 'baseline' : 'migrate';
      for (let answer = await cli(asRole, verb); answer.code !== 0; answer = await cli(asRole, verb)) {
        const remedy = /what is missing: (.+)$/m.exec(answer.stderr)?.[1];
        expect(remedy, answer.stderr).toBeDefined();
        expect(given).not.toContain(remedy);
        await owner.query(remedy!);
        given.push(remedy!);
      }
      expect(given.join('\n')).toContain(`to "mover-${serial}";`);
      await owner.end();
    },
  );

  it('works in a database whose settings are somebody else’s', async () => {
    const owner = await connect(url);
    for (const setting of [`datestyle = 'German'`, `bytea_output = 'escape'`, 'quote_all_identifiers = on'])
      await owner.query(`alter database ${nameOf(url)} set ${setting}`);
    await owner.end();
    for (const verb of ['migrate', 'status', 'verify'])
      expect(await cli(url, verb)).toMatchObject({ code: 0 });
  });

  it('says why it may not sign in', async () => {
    expect((await cli(url.replace('postgres@', 'nobody_here@'), 'status')).stderr).toContain(
      'role "nobody_here" does not exist',
    );
    expect((await cli(`${url}_gone`, 'status')).stderr).toContain(
      `database "${nameOf(url)}_gone" does not exist`,
    );
  });
});
