import { readFile, truncate, utimes, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { sql, type Sql } from '../../shared/ports/database.ts';
import { cleanupStage, passwordSignIn, postgres } from './stage.ts';

interface Line {
  readonly name: string;
  readonly ok: boolean;
  readonly missing: number;
  readonly says: string;
  readonly examples: readonly string[];
}

const RUN = '0197e1a0-0000-7000-8000-000000000001';
const ALICE = sql`email = 'alice@acme.example.org'`;

describe.skipIf(postgres.missing)('sallyport migration cleanup check (needs the postgresql package)', () => {
  const stage = cleanupStage();
  const check = async (backup: string | null = null) => {
    const answer = await stage.json(`migration cleanup check ${backup === null ? '' : `--backup ${backup}`}`);
    const lines = answer['lines'] as Line[];
    return { code: answer['code'], ok: answer['ok'], closed: lines.filter(({ ok }) => !ok), lines };
  };

  it('is open with a backup of today, and says every line of it; without a backup it is closed', async () => {
    const backup = await stage.dump('today.dump', '--format=custom');
    expect(await check(backup)).toMatchObject({ code: 0, ok: true, closed: [] });
    const { code, closed } = await check();
    expect([code, closed.map(({ name }) => name)]).toEqual([1, ['backup']]);
    const shown = await stage.run(`migration cleanup check --backup ${backup}`);
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toContain('5 of 5 active users have completed or are excluded (100 %)');
    expect(shown.stdout).toContain('the gate is open');
  });

  it.each<[what: string, change: Sql | (() => Promise<void>), line: string, example: RegExp]>([
    [
      'one active user of five has not completed',
      sql`update users set migration_completed_at = null where ${ALICE}`,
      'people',
      /^acme alice@/,
    ],
    [
      'a password was used 29 days and 23 hours ago',
      () => passwordSignIn(stage.database, '29 days 23 hours'),
      'password_sign_ins',
      /^acme alice@/,
    ],
    [
      'a password was used by a clock ahead of the database',
      () => passwordSignIn(stage.database, '-2 hours'),
      'password_sign_ins',
      /^acme alice@/,
    ],
    [
      'a tenant has not confirmed',
      sql`update sallyport_tenants set confirmed_at = null where tenant_id = (select tenant_id from tenants where slug = 'birch')`,
      'tenants',
      /^birch$/,
    ],
    [
      'a run was cut off',
      sql`insert into sallyport_runs (run_id, kind, fingerprint, plan, state) values (${RUN}, 'provisioning', 'f', '{"kind": "provision"}', 'running')`,
      'runs',
      /^provision .*running/,
    ],
    [
      'a process holds the lease of runs',
      sql`insert into sallyport_leases (name, run_id, expires_at) values ('provisioning', ${RUN}, now() + interval '20 seconds')`,
      'runs',
      /0197e1a0/,
    ],
    [
      'a wave is running',
      sql`insert into sallyport_waves (name, state, cohort, start_at) values ('first', 'running', '{}', now())`,
      'waves',
      /^first \(running\)/,
    ],
    [
      'a wave is paused',
      sql`insert into sallyport_waves (name, state, cohort, start_at) values ('first', 'paused', '{}', now())`,
      'waves',
      /^first \(paused\)/,
    ],
    [
      'somebody excluded has no account',
      sql`update users set kanidm_user_id = null where email like 'carol%'`,
      'accounts',
      /^acme carol@/,
    ],
    [
      'a view reads a column that would go',
      sql`create view last_tries as select user_id, failed_login_attempts from users`,
      'dependents',
      /last_tries/,
    ],
    [
      'a column is computed of one that would go',
      sql`alter table users add by_password boolean generated always as (auth_method = 'password') stored`,
      'dependents',
      /by_password/,
    ],
  ])('is closed while %s', async (_what, change, name, example) => {
    if (typeof change === 'function') await change();
    else await stage.database.execute(change);
    const backup = await stage.dump('now.dump', '--format=custom');
    const { code, closed } = await check(backup);
    expect([code, closed]).toEqual([
      1,
      [expect.objectContaining({ name, missing: 1, examples: [expect.stringMatching(example)] as unknown })],
    ]);
    const before = await stage.users();
    expect((await stage.run(stage.applied(`--backup ${backup}`))).code).toBe(1);
    expect(await stage.users()).toEqual(before);
  });

  it('takes a sign-in by password of more than 30 days ago, one by the provider of today, and ended runs and waves', async () => {
    await passwordSignIn(stage.database, '30 days 1 minute');
    await passwordSignIn(stage.database, '0', 'kanidm');
    await stage.database.execute(
      sql`insert into sallyport_runs (run_id, kind, fingerprint, plan, state) values (${RUN}, 'provisioning', 'f', '{}', 'done')`,
    );
    await stage.database.execute(
      sql`insert into sallyport_waves (name, state, cohort, start_at) values ('first', 'done', '{}', now())`,
    );
    expect((await check()).closed.map(({ name }) => name)).toEqual(['backup']);
  });

  it('never rounds up: 9,999 of 10,000 are 99.99 %, and one is missing', async () => {
    await stage.database.execute(sql`
      insert into users (tenant_id, email, password_hash, kanidm_user_id, migration_completed_at, auth_method)
      select tenant_id, 'user' || n || '@birch.example.org', 'x', gen_random_uuid(), case when n > 1 then now() end, 'dual'
      from tenants, generate_series(1, 9995) n where slug = 'birch'`);
    const [line] = (await check()).closed;
    expect(line).toMatchObject({ name: 'people', missing: 1, examples: ['birch user1@birch.example.org'] });
    expect(line?.says).toContain('9999 of 10000 active users have completed or are excluded (99.99 %)');
  });

  it('takes a backup in each form of pg_dump that is whole', async () => {
    const plain = await stage.dump('plain.sql');
    await writeFile(`${plain}.gz`, gzipSync(await readFile(plain)));
    for (const backup of [
      plain,
      `${plain}.gz`,
      await stage.dump('inserts.sql', '--inserts'),
      await stage.dump('many.sql', '--rows-per-insert=2'),
      await stage.dump('custom.dump', '--format=custom'),
      await stage.dump('tar.dump', '--format=tar'),
      await stage.dump('folder.dump', '--format=directory'),
    ])
      expect(await check(backup), backup).toMatchObject({ code: 0 });
  });

  it('takes none that is old, cut off, of a part, of another database, or nothing of the kind', async () => {
    const old = await stage.dump('old.dump', '--format=custom');
    const yesterday = new Date(Date.now() - 86_400_000);
    await utimes(old, yesterday, yesterday);
    const cut = await stage.dump('cut.dump', '--format=custom');
    await truncate(cut, (await readFile(cut)).length - 200);
    const tar = await stage.dump('cut.tar', '--format=tar');
    await truncate(tar, (await readFile(tar)).length - 512 * 40);
    const ends = await stage.dump('ends.tar', '--format=tar');
    await truncate(ends, (await readFile(ends)).length - 1024);
    const plain = await stage.dump('cut.sql');
    await truncate(plain, (await readFile(plain)).length - 200);
    const text = `${stage.folder}/notes.txt`;
    await writeFile(text, 'nothing of the kind\n');
    const few = await stage.dump('few.dump', '--format=custom');
    await stage.database.execute(sql`
      insert into users (tenant_id, email, kanidm_user_id, migration_completed_at, auth_method, created_at)
      select tenant_id, 'old' || n || '@birch.example.org', gen_random_uuid(), now(), 'kanidm', now() - interval '2 days'
      from tenants, generate_series(1, 2) n where slug = 'birch'`);
    await stage.database.execute(sql`create schema other`);
    await stage.database.execute(sql`create table other.users as select * from users`);
    const other = await stage.dump('other.sql', '--exclude-table-data=public.users');
    for (const [backup, why] of [
      [old, /older than a day/],
      [cut, /pg_restore ended with 1|ends before the dump does/],
      // pg_restore itself would read these for ever.
      [tar, /cut\.tar: it is a tar that is cut off: it ends within \w+\.(?:dat|sql)/],
      [ends, /ends\.tar: it is a tar that is cut off: it lacks the block that ends a tar/],
      [plain, /ends before the dump does/],
      [await stage.dump('schema.dump', '--schema-only'), /has no data of tenants, users, sessions/],
      [await stage.dump('part.dump', '--exclude-table=users', '--format=custom'), /has no data of users/],
      [text, /none of pg_dump/],
      [few, /has 5 users, and 6 were there a day ago/],
      [other, /has no data of users/],
      [`${stage.folder}/nowhere`, /nowhere/],
    ] as const) {
      const { code, closed } = await check(backup);
      expect([code, closed.map(({ name }) => name)], backup).toEqual([1, ['backup']]);
      expect(closed[0]?.says).toMatch(why);
    }
  });
});
