// Long because each way of a restore shares one server and one backup.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { readBackups } from '../../shared/adapters/node/backups.ts';
import { postgresMissing } from '../services/postgres.ts';
import { backupStage, containing, execute, folderOf, PASSWORD } from './stage.ts';

describe.skipIf(postgresMissing)('backup restore (needs the postgresql package)', () => {
  const stage = backupStage();
  const names = () => [stage.zitadelUrl, stage.databaseUrl].map((url) => new URL(url).pathname.slice(1));
  const { notes, changed } = stage;

  it('shows where each part would go, and changes nothing until the names of the databases are confirmed', async () => {
    const id = await changed();
    const dry = await stage.run('restore', id, '--dry-run');
    expect([dry.code, dry.stdout]).toEqual([0, containing(`/${names()[0]}, whose database is kept`)]);
    expect(dry.stderr).toContain('next: the same without --dry-run');
    expect(await stage.run('restore', id)).toMatchObject({
      code: 1,
      stderr: containing(`Add --yes to confirm ${names().join(',')}`),
    });
    expect([await stage.users(), await notes()]).toEqual([41, []]);
    expect(stage.backups()).toEqual([id]);
  });

  it('brings back rows, owners, grants and settings, keeps what was there, and proves a backup of it before', async () => {
    const id = await changed();
    const done = await stage.json('restore', id, '--yes');
    expect(done).toMatchObject({ code: 0, backup: id, store: null });
    expect([await stage.users(), await notes()]).toEqual([40, [1, 2]]);
    const [zitadel = '', app = ''] = names();
    const run = String(done['run']);
    expect(done['kept']).toEqual([`${zitadel}_before_${run}`, `${app}_before_${run}`]);
    expect(
      await stage.query(
        stage.zitadelUrl,
        `select tableowner::text, has_table_privilege('reader', 'projections.users14', 'select') as reads,
        current_setting('work_mem') as mem, current_setting('search_path') as path, (select pg_get_userbyid(datdba)::text from pg_database where datname = current_database()) as owner
      from pg_tables where tablename = 'users14'`,
      ),
    ).toEqual([
      {
        tableowner: 'zitadel',
        reads: true,
        mem: '5MB',
        path: 'projections, "$user", public',
        owner: 'zitadel',
      },
    ]);
    expect(
      await stage.query(
        stage.zitadelUrl,
        "select count(*) > 0 as known from pg_stats where tablename = 'users14'",
      ),
    ).toEqual([{ known: true }]);
    // What was there is in the safety backup too, proven.
    const kept = await execute(
      stage.zitadelUrl.replace(zitadel, `${zitadel}_before_${run}`),
      'select count(*)::int as n from projections.users14',
    );
    expect(kept).toEqual([{ n: 41 }]);
    expect(await stage.run('verify', String(done['safety']))).toMatchObject({ code: 0 });
  });

  it('goes on with latest, and takes for latest no backup of what a restore has replaced', async () => {
    const id = await changed();
    const holder = new Client({ connectionString: stage.zitadelUrl });
    holder.on('error', () => undefined);
    await holder.connect();
    const stopped = await stage.run('restore', 'latest', '--yes', '--wait', '0', '--only', 'zitadel');
    expect(stopped.stderr).toContain(`sallyport backup restore ${id} --resume`);
    await holder.end();
    const [safety = ''] = stage.backups();
    expect(safety).not.toBe(id);
    const { code, stderr } = await stage.run('restore', safety, '--resume');
    expect([code, stderr]).toEqual([1, containing(`is of backup ${id}, and this is ${safety}`)]);
    expect(await stage.run('create', '--keep', '1')).toMatchObject({ code: 0 });
    expect(await stage.run('restore', 'latest', '--resume')).toMatchObject({ code: 0 });
    expect(await stage.users()).toBe(40);
    const [newest = ''] = stage.backups();
    await rm(folderOf(stage, newest), { recursive: true });
    expect((await stage.json('verify', 'latest', '--checksums'))['backup']).toBe(id);
    const { at } = JSON.parse(readFileSync(`${folderOf(stage, id)}/manifest.json`, 'utf8')) as { at: string };
    expect(readBackups(stage.dir)?.newest?.toISOString()).toBe(at);
  });

  it('goes back to what was there by the backup that it made, and finish removes what it kept; no password is printed', async () => {
    const id = await changed();
    const done = await stage.run('restore', id, '--yes', '--json');
    const { safety } = JSON.parse(done.stdout) as { safety: string };
    const back = await stage.run('restore', safety, '--yes');
    expect(back.code).toBe(0);
    expect([await stage.users(), await notes()]).toEqual([41, []]);
    const unconfirmed = await stage.run('finish');
    expect(unconfirmed).toMatchObject({ code: 1, stderr: containing('Add --yes') });
    const finished = await stage.run('finish', '--yes');
    expect(finished.code).toBe(0);
    const printed = [done, back, finished].map(({ stdout, stderr }) => stdout + stderr).join('');
    expect(printed).not.toContain(PASSWORD);
    const left = (await stage.databases()).filter((name) =>
      names().some((each) => name.startsWith(`${each}_before_`)),
    );
    // Of the first of both restores.
    expect(left).toHaveLength(2);
  });

  it('makes databases that are gone altogether, by their former owner', async () => {
    const id = await changed();
    await stage.server.dropDatabase(stage.zitadelUrl);
    await stage.server.dropDatabase(stage.databaseUrl);
    expect(await stage.json('restore', id, '--yes')).toMatchObject({ code: 0, kept: [], safety: null });
    expect([await stage.users(), await notes()]).toEqual([40, [1, 2]]);
  });

  it('names a role that is missing on the server, and changes nothing', async () => {
    await execute(stage.databaseUrl, 'create role gone_soon; alter table notes owner to gone_soon');
    const id = String((await stage.json('create'))['backup']);
    await execute(stage.databaseUrl, 'alter table notes owner to postgres; drop role gone_soon');
    const { code, stderr } = await stage.run('restore', id, '--yes');
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: containing('there is no role gone_soon: create role "gone_soon" login'),
    });
    expect(stage.backups()).toEqual([id]);
  });

  it('names what the connecting role may not do, and changes nothing', async () => {
    const id = await changed();
    const lowly = stage.zitadelUrl.replace('//postgres:', '//app:');
    const { code, stderr } = await stage.runWith(
      { ZITADEL_DATABASE_URL: lowly },
      'restore',
      id,
      '--only',
      'zitadel',
      '--yes',
    );
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: containing('alter role "app" createdb'),
    });
    expect(stderr).toContain('grant "zitadel" to "app"');
    expect(await stage.users()).toBe(41);
  });

  it('names who is still connected, leaves the former database in its place, and goes on when asked', async () => {
    const id = await changed();
    const holder = new Client({ connectionString: stage.zitadelUrl, application_name: 'zitadel pod 1' });
    holder.on('error', () => undefined);
    await holder.connect();
    const stopped = await stage.run('restore', id, '--yes', '--wait', '0');
    expect({ code: stopped.code, stderr: stopped.stderr }).toMatchObject({
      code: 1,
      stderr: containing('zitadel pod 1'),
    });
    expect([await stage.users(), await notes()]).toEqual([41, []]);
    const again = await stage.run('restore', id, '--yes');
    expect(again.stderr).toContain(`\`sallyport backup restore ${id} --resume\` goes on`);
    await holder.end();
    expect(await stage.run('restore', id, '--resume')).toMatchObject({ code: 0 });
    expect([await stage.users(), await notes()]).toEqual([40, [1, 2]]);
  });

  it('is taken back before its swap by finish, which removes the copies', async () => {
    const id = await changed();
    const holder = new Client({ connectionString: stage.zitadelUrl });
    holder.on('error', () => undefined);
    await holder.connect();
    expect(await stage.run('restore', id, '--yes', '--wait', '0')).toMatchObject({ code: 1 });
    await holder.end();
    expect(await stage.run('finish', '--yes')).toMatchObject({ code: 0 });
    expect((await stage.databases()).filter((name) => name.includes('_restore_'))).toEqual([]);
    expect(await stage.users()).toBe(41);
    expect(await stage.run('restore', id, '--resume')).toMatchObject({
      code: 1,
      stderr: containing('nothing to go on with'),
    });
  });

  describe('of databases on two servers', () => {
    // To the command another host is another server: nothing binds both swaps together.
    const apart = () => ({ DATABASE_URL: stage.databaseUrl.replace('@127.0.0.1:', '@localhost:') });
    const notesOf = async () => [await stage.users(), await notes()];
    /** Both are restored beside, and who is connected to the second one has kept both swaps from beginning. */
    const waiting = async (id: string): Promise<string> => {
      const holder = new Client({ connectionString: stage.databaseUrl, application_name: 'gateway pod 1' });
      holder.on('error', () => undefined);
      await holder.connect();
      const { code, stderr } = await stage.runWith(apart(), 'restore', id, '--yes', '--wait', '0');
      await holder.end();
      expect({ code, stderr }).toMatchObject({
        code: 1,
        stderr: containing('gateway pod 1'),
      });
      return /sallyport backup finish (\d+)/.exec(stderr)?.[1] ?? '';
    };
    /** As after a kill between the two, before the first was recorded. */
    const halfSwapped = async (run: string): Promise<void> => {
      const [zitadel = ''] = names();
      await execute(
        stage.server.url,
        `alter database ${zitadel} rename to ${zitadel}_before_${run};
         alter database ${zitadel}_restore_${run} rename to ${zitadel}`,
      );
      expect(await notesOf()).toEqual([40, []]);
    };

    it('changes neither while somebody is connected to one, and then goes on', async () => {
      const id = await changed();
      await waiting(id);
      expect(await notesOf()).toEqual([41, []]);
      expect(await stage.runWith(apart(), 'restore', id, '--resume')).toMatchObject({ code: 0 });
      expect(await notesOf()).toEqual([40, [1, 2]]);
    });

    it('goes on where the first has changed places and the second has not', async () => {
      const id = await changed();
      await halfSwapped(await waiting(id));
      expect(await stage.runWith(apart(), 'restore', id, '--resume')).toMatchObject({ code: 0 });
      expect(await notesOf()).toEqual([40, [1, 2]]);
    });

    it('is taken back by finish as well then: the former database has its name again', async () => {
      const id = await changed();
      await halfSwapped(await waiting(id));
      const [zitadel] = names();
      const dry = await stage.runWith(apart(), 'finish', '--dry-run');
      expect(dry.stdout).toContain(`would put the former ${zitadel} back`);
      expect(dry.stderr).toContain('next: the same without --dry-run');
      expect(await stage.runWith(apart(), 'finish')).toMatchObject({
        code: 1,
        stderr: containing(`Add --yes to confirm ${zitadel}`),
      });
      expect(await notesOf()).toEqual([40, []]);
      const { stdout } = await stage.runWith(apart(), 'finish', '--yes', '--json');
      expect(JSON.parse(stdout)).toMatchObject({ put_back: [zitadel] });
      expect(await notesOf()).toEqual([41, []]);
      expect((await stage.databases()).filter((name) => /_restore_|_before_/.test(name))).toEqual(
        expect.not.arrayContaining([expect.stringContaining(`${zitadel}_`)]),
      );
      expect(await stage.runWith(apart(), 'restore', id, '--resume')).toMatchObject({ code: 1 });
    });
  });

  it('restores chosen parts alone, and names a part that the backup lacks', async () => {
    const id = await changed();
    expect(await stage.run('restore', id, '--only', 'openfga', '--yes')).toMatchObject({ code: 2 });
    expect(await stage.run('restore', id, '--only', 'zitadel', '--yes')).toMatchObject({ code: 0 });
    expect([await stage.users(), await notes()]).toEqual([40, []]);
  });

  it('puts access rules back in their file with its mode, and says where one belongs that cannot be written', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-rules-'));
    const file = join(folder, 'access_rules.json');
    await writeFile(file, '[]', { mode: 0o640 });
    const made = await stage.runWith({ ACCESS_RULES: file }, 'create', '--json');
    const { backup: id } = JSON.parse(made.stdout) as { backup: string };
    await writeFile(file, '["changed"]');
    const { stdout } = await stage.runWith(
      { ACCESS_RULES: file },
      'restore',
      id,
      '--only',
      'access_rules',
      '--yes',
      '--json',
    );
    expect(JSON.parse(stdout)).toMatchObject({ texts: [{ name: 'access_rules', file, placed: true }] });
    expect(readFileSync(file, 'utf8')).toBe('[]');
    const inline = await stage.run('restore', id, '--only', 'access_rules', '--yes');
    expect(inline.stderr).toMatch(/put \S+access_rules\.json where access_rules belongs/);
    await rm(folder, { recursive: true });
  });
});
