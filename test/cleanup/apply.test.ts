import { access, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { connect } from '../db/support.ts';
import { HASH } from '../provisioning/ground.ts';
import { cleanupOf, cleanupStage, postgres } from './stage.ts';

const WATCHDOG = { timeout: 300_000, interval: 20 };
const GATED = '20250199999999_remove_password_auth.sql';

describe.skipIf(postgres.missing)(
  'sallyport migration cleanup apply and restore (needs the postgresql package)',
  () => {
    const stage = cleanupStage();
    const { backup, closed, apply, restore } = cleanupOf(stage);
    const columns = async () =>
      (
        await stage.database.query(
          sql`select attname as name from pg_attribute where attrelid = 'users'::regclass and attnum > 0 and not attisdropped`,
          z.object({ name: z.string() }),
        )
      ).map(({ name }) => name);

    it('drops the columns, and status, verify and migrate are right afterwards; restore brings back every value and the ledger', async () => {
      const before = await stage.users();
      const { archive } = await apply();
      expect(await columns()).not.toContain('password_hash');
      const status = await stage.json('db status');
      expect(status['faults']).toEqual([]);
      expect(status['migrations']).toContainEqual(expect.objectContaining({ name: GATED, state: 'applied' }));
      for (const line of ['db verify', 'db migrate'])
        expect(await stage.run(line), line).toMatchObject({ code: 0 });
      expect((await stage.run('migration cleanup check')).stderr).toContain('dropped already');
      expect(await stage.json(restore(archive))).toMatchObject({ code: 0, people: 5, removed: 0, since: 0 });
      expect(await stage.users()).toEqual(before);
      for (const line of ['db verify', 'db migrate'])
        expect(await stage.run(line), line).toMatchObject({ code: 0 });
      expect((await stage.json('db status'))['migrations']).not.toContainEqual(
        expect.objectContaining({ name: GATED }),
      );
      expect(await stage.json(restore(archive))).toMatchObject({ code: 0, already: true });
      expect(await stage.users()).toEqual(before);
    });

    it('refuses without the name of the database, an archive or a recipient, and a private key as recipient', async () => {
      const dump = await backup();
      const line = stage.applied(`--backup ${dump}`);
      await closed(line.replace(/--database \S+/, '--database other'), /not other/);
      await closed(line.replace(/--archive \S+/, ''), /--archive FILE/);
      await closed(line.replace(/--recipient \S+/, ''), /--recipient FILE/);
      await closed(line.replace('one.pub', 'one.key'), /is a private key/);
      expect((await stage.run(line.replace(/--database \S+/, ''))).code).toBe(2);
      await closed(stage.applied(), /backup: none is named/);
      expect(await stage.json(stage.applied())).toMatchObject({
        code: 1,
        dry_run: false,
        ok: false,
        gate: expect.arrayContaining([expect.objectContaining({ name: 'backup', ok: false })]) as unknown,
      });
    });

    it('goes by the backup that a check has read, and overwrites no archive', async () => {
      expect((await stage.run(`migration cleanup check --backup ${await backup()}`)).code).toBe(0);
      const line = stage.applied();
      const [, archive = ''] = /--archive (\S+)/.exec(line) ?? [];
      await writeFile(archive, 'precious');
      await closed(line, /never overwritten/);
      expect(await readFile(archive, 'utf8')).toBe('precious');
      await rm(archive);
      await symlink(`${archive}.elsewhere`, archive);
      await closed(line, /never overwritten/);
      expect(await stage.run(stage.applied())).toMatchObject({ code: 0 });
    });

    it('leaves no archive where it fails, so that the same line goes again', async () => {
      const line = stage.applied(`--backup ${await backup()} --wait 0`);
      const [, archive = ''] = /--archive (\S+)/.exec(line) ?? [];
      const reader = await connect(stage.db.url);
      await reader.query('begin');
      await reader.query('select from users limit 1');
      await closed(line, /in use/);
      for (const file of [archive, `${archive}.partial`])
        await expect(access(file)).rejects.toThrow('ENOENT');
      await reader.query('commit');
      await reader.end();
      expect(await stage.run(line)).toMatchObject({ code: 0 });
    });

    it('sees a sign-in by password in flight: it waits for it, and refuses; one that does not end is not waited for', async () => {
      const line = stage.applied(`--backup ${await backup()}`);
      const login = await connect(stage.db.url);
      await login.query('begin');
      await login.query(IN_FLIGHT);
      await closed(`${line} --wait 0`, /in use/);
      const applying = stage.run(`${line} --wait 120`);
      await vi.waitUntil(async () => (await waiting()) > 0, WATCHDOG);
      await login.query('commit');
      await login.end();
      const answer = await applying;
      expect([answer.code, answer.stdout]).toEqual([
        1,
        expect.stringContaining('1 people have signed in by password'),
      ]);
      expect(await columns()).toContain('password_hash');
    });
    const waiting = async () =>
      (
        await stage.database.query(
          sql`select count(*)::int as n from pg_locks where not granted and relation = 'sessions'::regclass`,
          z.object({ n: z.number() }),
        )
      )[0]!.n;

    it('the archive is for its owner alone and shows no hash; another key and every damage are refused before anything changes', async () => {
      const { archive } = await apply();
      expect((await stat(archive)).mode & 0o777).toBe(0o600);
      const text = await readFile(archive, 'utf8');
      expect(text).not.toContain(HASH);
      expect(text).not.toContain('alice');
      const lines = text.trimEnd().split('\n');
      await closed(restore(archive, 'other.key'), /cannot be opened with this key/);
      await closed(restore(archive, 'one.pub'), /is a public key/);
      const damaged = `${archive}.damaged`;
      for (const [what, content, why] of [
        ['cut', lines.slice(0, -1).join('\n'), /cut off/],
        ['in the middle', text.slice(0, -40), /cut off or was changed/],
        ['twice the end', `${text}${lines.at(-1) ?? ''}\n`, /changed/],
        ['flipped', flipped(text), /changed/],
        ['empty', '', /no archive/],
      ] as const) {
        await writeFile(damaged, content);
        await closed(restore(damaged), why);
        expect(await columns(), what).not.toContain('password_hash');
      }
      await truncate(damaged, 0);
      expect(await stage.run(restore(archive))).toMatchObject({ code: 0 });
    });

    it('takes no archive of another clean-up', async () => {
      const { archive } = await apply();
      expect(await stage.run(restore(archive))).toMatchObject({ code: 0 });
      const second = await apply();
      await closed(restore(archive), /cleaned up again since/);
      expect(await stage.run(restore(second.archive))).toMatchObject({ code: 0 });
    });

    it('goes by no limit on transactions that the database has for its application', async () => {
      const line = stage.applied(`--backup ${await backup()}`);
      await stage.database.execute(
        sql`do $$ begin execute format('alter database %I set idle_in_transaction_session_timeout = 1', current_database()); end $$`,
      );
      const done = await stage.json(line);
      expect(done).toMatchObject({ code: 0 });
      expect(await stage.run(restore(z.string().parse(done['archive'])))).toMatchObject({ code: 0 });
    });

    it('an RSA recipient opens its archive too', async () => {
      const line = stage.applied(`--backup ${await backup()}`).replace('one.pub', 'rsa.pub');
      const done = await stage.json(line);
      expect(done).toMatchObject({ code: 0 });
      expect(await stage.run(restore(z.string().parse(done['archive']), 'rsa.key'))).toMatchObject({
        code: 0,
      });
    });

    it('people who came after it sign in by the provider alone once it is taken back', async () => {
      const { archive } = await apply();
      await stage.database.execute(sql`
      insert into users (tenant_id, email, kanidm_user_id) select tenant_id, 'new@birch.example.org', gen_random_uuid() from tenants where slug = 'birch'`);
      expect(await stage.json(restore(archive))).toMatchObject({ people: 5, since: 1 });
      const [row] = await stage.database.query(
        sql`select auth_method, password_hash, migration_completed_at is not null as completed, failed_login_attempts from users where email = 'new@birch.example.org'`,
        z.unknown(),
      );
      expect(row).toEqual({
        auth_method: 'kanidm',
        password_hash: null,
        completed: true,
        failed_login_attempts: 0,
      });
      expect((await stage.run('db verify')).stdout).toContain('as the migrations promise');
    });

    it('is recorded, and plans and living invitations end with it', async () => {
      for (const mail of [
        sql`insert into sallyport_mail_templates (digest, content) values ('d', '{}') on conflict do nothing`,
        sql`insert into sallyport_outbox (message_id, kind, template, recipient, content)
          select '<' || kind || '@example.org>', kind, 'd', 'alice@example.org', 'sealed'
          from unnest(array['invitation', 'password-reset', 'alarm']) kind`,
      ])
        await stage.database.execute(mail);
      await stage.database.execute(
        sql`insert into sallyport_waves (name, state, cohort, start_at) values ('later', 'planned', '{}', now() + interval '9 days')`,
      );
      const { run } = await apply();
      const audited = (await stage.run('audit list --what cleaned_up --json')).stdout;
      expect(JSON.parse(audited)).toMatchObject([{ what: 'cleaned_up', run }]);
      const [wave] = await stage.database.query(sql`select state from sallyport_waves`, z.unknown());
      const mails = await stage.database.query(
        sql`select kind, status, content from sallyport_outbox order by kind`,
        z.unknown(),
      );
      expect(mails).toEqual([
        { kind: 'alarm', status: 'pending', content: 'sealed' },
        { kind: 'invitation', status: 'dead', content: null },
        { kind: 'password-reset', status: 'dead', content: null },
      ]);
      expect(wave).toEqual({ state: 'cancelled' });
    });
  },
);

const IN_FLIGHT = `insert into sessions (user_id, tenant_id, access_token_expires_at, refresh_token_expires_at, auth_method)
  select user_id, tenant_id, now(), now() + interval '1 day', 'jwt' from users where email = 'alice@acme.example.org'`;

/** One character of the last part's cipher text. */
function flipped(text: string): string {
  const at = text.length - 60;
  return text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
}
