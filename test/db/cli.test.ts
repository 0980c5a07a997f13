import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type Postgres } from '../../dev/postgres.ts';
import { cli } from './support.ts';

describe('sallyport db', { timeout: 60_000 }, () => {
  let pglite: Postgres;
  let url: string;
  beforeAll(async () => {
    pglite = await startPostgres();
    url = pglite.url.replace('postgres@', 'postgres:s3cret@');
  });
  afterAll(() => pglite.close());

  it('plans, runs, lists and verifies, and never shows the password of its URL', async () => {
    const planned = await cli(url, 'migrate', '--dry-run', '--json');
    expect(JSON.parse(planned.stdout)).toMatchObject({ dry_run: true });
    const unverified = await cli(url, 'verify');
    expect(unverified).toMatchObject({ code: 1 });
    expect(unverified.stdout).toContain('20250110000001_uuid_ossp.sql: pending');
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
    ['no DATABASE_URL', '', ['status'], 1, /DATABASE_URL is not set/],
    ['a URL of another kind', 'mysql://me:s3cret@db/x', ['status'], 1, /not a postgres:\/\/ URL/],
    ['a pooler', 'postgres://me:s3cret@ep-a-pooler.eu.neon.tech/x', ['migrate'], 1, /direct address/],
    ['a server that is away', 'postgres://me:s3cret@127.0.0.1:1/x', ['migrate'], 1, /ECONNREFUSED/],
    ['an unbounded wait for locks', '', ['migrate', '--lock-timeout', '0'], 2, /above 0/],
    ['an unknown verb', '', ['undo'], 2, /unknown command/],
  ])('refuses %s in one line without the password', async (_what, database, args, code, message) => {
    const answer = await cli(database, ...args);
    expect(answer).toMatchObject({ code, stdout: '' });
    expect(answer.stderr).toMatch(message);
    expect(answer.stderr).not.toMatch(/s3cret|\n +at /);
  });
});
