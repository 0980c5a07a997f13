// Long because what is made, listed and verified shares one server and one backup.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { cp, mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { describe, expect, it, vi } from 'vitest';
import { readProof } from '../../cli/backup/layout.ts';
import { postgresMissing } from '../services/postgres.ts';
import { backupStage, ended, execute, folderOf, modeOf, PASSWORD, recorded, WATCHDOG } from './stage.ts';

describe.skipIf(postgresMissing)('backup create, list and verify (needs the postgresql package)', () => {
  const stage = backupStage();
  const manifest = (id?: string) =>
    JSON.parse(readFileSync(join(folderOf(stage, id), 'manifest.json'), 'utf8')) as {
      parts: Record<string, unknown>[];
      left_out: { name: string; why: string }[];
    };

  const writeProof = (backup: string) => {
    const at = new Date().toISOString();
    return writeFile(join(stage.dir, 'proven.json'), JSON.stringify({ backup, made_at: at, at, parts: [] }));
  };

  it('writes one folder that only its owner reads, with a manifest and checksums that sha256sum takes', async () => {
    const { code, stderr } = await stage.run('create');
    expect(stderr).toContain('ZITADEL_MASTERKEY');
    expect(code).toBe(0);
    const folder = folderOf(stage);
    expect([modeOf(stage.dir), modeOf(folder)]).toEqual([0o700, 0o700]);
    for (const file of readdirSync(folder)) expect([file, modeOf(join(folder, file))]).toEqual([file, 0o600]);
    expect(execFileSync('sha256sum', ['--check', 'SHA256SUMS'], { cwd: folder, encoding: 'utf8' })).toContain(
      'manifest.json: OK',
    );
    expect(manifest().parts.map(({ name }) => name)).toEqual([
      ...['zitadel', 'sallyport', 'access_rules', 'access_rules_prev', 'default_grants'],
    ]);
    expect(manifest().left_out.map(({ name }) => name)).toEqual(['openfga', 'tuples']);
  });

  it('counts every table in the moment that it dumps, names owners and settings, and holds no password', async () => {
    const { stdout, stderr } = await stage.run('create', '--json');
    const [zitadel] = manifest().parts;
    expect(zitadel).toMatchObject({
      owner: 'zitadel',
      roles: expect.arrayContaining(['zitadel', 'reader']) as unknown,
      settings: ['search_path=projections, "$user", public', 'work_mem=5MB'],
      rows: { 'eventstore.events2': 500, 'projections.users14': 40, 'projections.odd "name': 0 },
    });
    const written = readdirSync(folderOf(stage)).map((file) =>
      readFileSync(join(folderOf(stage), file), 'latin1'),
    );
    expect([stdout, stderr, ...written].filter((each) => each.includes(PASSWORD))).toEqual([]);
  });

  it('is proven by a restore into databases of its own, which are gone afterwards', async () => {
    const before = await stage.databases();
    await stage.prepared();
    expect((await stage.run('verify', '--dry-run')).stdout).toContain('into a database of its own beside');
    expect(readProof(stage.dir)).toBeUndefined();
    const { code, stdout } = await stage.run('verify');
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('zitadel: 540 rows in 3 tables, restored and counted') as unknown,
    });
    expect(await stage.databases()).toEqual(before);
    expect(readProof(stage.dir)).toMatchObject({
      backup: stage.backups()[0],
      parts: expect.arrayContaining(['zitadel']) as unknown,
    });
    expect(readdirSync(stage.dir).filter((name) => name.startsWith('verify-'))).toEqual([]);
  });

  it('lists whole and cut-off ones, and which one was proven', async () => {
    await writeProof(await stage.prepared());
    await stage.prepared('20200101000000');
    await rm(join(stage.dir, 'backup-20200101000000/manifest.json'));
    const { stdout } = await stage.run('list', '--json');
    expect(JSON.parse(stdout)).toMatchObject([
      { complete: true, encrypted: false, proven_at: expect.any(String) as unknown },
      { id: '20200101000000', complete: false, why: expect.stringContaining('incomplete') as unknown },
    ]);
  });

  it('keeps the newest, and the last proven one beyond them', async () => {
    const ids = ['20200101000000', '20200102000000', '20200103000000', '20200104000000'];
    for (const id of ids) await stage.prepared(id);
    await writeProof('20200102000000');
    const { removed } = await stage.json('create', '--keep', '2');
    expect(removed).toEqual([ids[2], ids[0]]);
    expect(stage.backups()).toEqual([expect.any(String), ids[3], ids[1]]);
  });

  it('says what it would hold, and writes nothing, with --dry-run', async () => {
    const { stdout } = await stage.run('create', '--dry-run');
    expect(stdout).toContain('openfga: left out, OPENFGA_DATABASE_URL is not set');
    expect(() => readdirSync(stage.dir)).toThrow();
  });

  it('refuses where there is nothing to back up, and names the variables', async () => {
    const { code, stderr } = await stage.runWith({ ZITADEL_DATABASE_URL: '', DATABASE_URL: '' }, 'create');
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ZITADEL_DATABASE_URL is not set') as unknown,
    });
  });

  it('leaves no part of a dump behind when the database is away, or refuses', async () => {
    await execute(stage.databaseUrl, 'create table locked (id int); alter table locked owner to zitadel');
    const lacking = stage.databaseUrl.replace('//postgres:', '//app:');
    const { code, stderr } = await stage.runWith({ DATABASE_URL: lacking }, 'create');
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/permission denied/) as unknown,
    });
    expect(stage.backups()).toEqual([]);
    const [folder = ''] = readdirSync(stage.dir).filter((name) => /^backup-\d+$/.test(name));
    expect(readdirSync(join(stage.dir, folder)).sort()).toEqual(['journal.jsonl', 'output.log']);
    const away = await stage.runWith({ DATABASE_URL: 'postgres://postgres@127.0.0.1:9/app' }, 'create');
    expect(away.stderr).toContain('127.0.0.1:9');
  });

  describe('is refused with what is wrong', () => {
    const broken: readonly (readonly [string, RegExp, (folder: string) => Promise<void>])[] = [
      [
        'a file that is cut off',
        /zitadel\.dump is cut off: 100 of \d+ bytes/,
        (folder) => truncate(join(folder, 'zitadel.dump'), 100),
      ],
      ['a file that is missing', /lacks sallyport\.dump/, (folder) => rm(join(folder, 'sallyport.dump'))],
      [
        'a file of which a byte was changed',
        /zitadel\.dump was changed since/,
        async (folder) => {
          const bytes = readFileSync(join(folder, 'zitadel.dump'));
          bytes[bytes.length >> 1]! ^= 1;
          await writeFile(join(folder, 'zitadel.dump'), bytes);
        },
      ],
      [
        'a manifest that was changed',
        /manifest\.json was changed/,
        async (folder) => {
          const text = readFileSync(join(folder, 'manifest.json'), 'utf8');
          await writeFile(
            join(folder, 'manifest.json'),
            text.replace('"eventstore.events2": 500', '"eventstore.events2": 499'),
          );
        },
      ],
      ['a backup that was cut off', /is incomplete/, (folder) => rm(join(folder, 'manifest.json'))],
      [
        'a folder that is none',
        /is no backup/,
        async (folder) => {
          await rm(join(folder, 'manifest.json'));
          await rm(join(folder, 'journal.jsonl'));
        },
      ],
    ];
    it('by verify and by restore alike', async () => {
      await stage.prepared();
      for (const [at, [name, message, damage]] of broken.entries()) {
        const folder = join(stage.dir, `backup-2020010100000${at}`);
        await cp(folderOf(stage), folder, { recursive: true });
        await damage(folder);
        for (const command of [
          ['verify', folder],
          ['restore', folder, '--yes'],
        ]) {
          const { code, stderr } = await stage.run(...command);
          expect({ name, code, stderr }).toMatchObject({
            code: 1,
            stderr: expect.stringMatching(message) as unknown,
          });
        }
      }
      expect(await stage.users()).toBe(40);
    });

    it('rows that are not those of the manifest, although every checksum is right', async () => {
      await stage.prepared();
      const folder = folderOf(stage);
      const text = readFileSync(join(folder, 'manifest.json'), 'utf8');
      await writeFile(
        join(folder, 'manifest.json'),
        text.replace('"eventstore.events2": 500', '"eventstore.events2": 499'),
      );
      execFileSync(
        'sh',
        ['-c', 'sed -i "/manifest.json/d" SHA256SUMS && sha256sum manifest.json >> SHA256SUMS'],
        { cwd: folder },
      );
      const { code, stderr } = await stage.run('verify');
      expect({ code, stderr }).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('eventstore.events2: 499 in the manifest, 500 restored') as unknown,
      });
      expect(readProof(stage.dir)).toBeUndefined();
    });

    it('a manifest of a newer version', async () => {
      await stage.prepared();
      const folder = folderOf(stage);
      const text = readFileSync(join(folder, 'manifest.json'), 'utf8');
      await writeFile(join(folder, 'manifest.json'), text.replace('"format": 1', '"format": 2'));
      execFileSync(
        'sh',
        ['-c', 'sed -i "/manifest.json/d" SHA256SUMS && sha256sum manifest.json >> SHA256SUMS'],
        { cwd: folder },
      );
      expect((await stage.run('verify')).stderr).toContain('has format 2, and this version reads up to 1');
    });
  });

  it('ends with 130 on Ctrl-C, without a part of a dump', async () => {
    const holder = new Client({ connectionString: stage.databaseUrl });
    await holder.connect();
    await holder.query('begin; lock table notes in access exclusive mode');
    const child = stage.spawn('create');
    const over = ended(child);
    await vi.waitUntil(async () => {
      const waiting =
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'sallyport backup'";
      return (await stage.query(stage.databaseUrl, waiting)).length > 0;
    }, WATCHDOG);
    child.kill('SIGINT');
    expect(await over).toMatchObject({ code: 130 });
    await holder.end();
    const [folder = ''] = readdirSync(stage.dir).filter((name) => /^backup-\d+$/.test(name));
    expect(readdirSync(join(stage.dir, folder)).sort()).toEqual(['journal.jsonl', 'output.log']);
  });

  /** As a kill leaves it while the second database is dumped. */
  const cutOff = async (id: string): Promise<string> => {
    const folder = folderOf(stage, id);
    for (const file of ['manifest.json', 'SHA256SUMS']) await rm(join(folder, file));
    await truncate(join(folder, 'sallyport.dump'), 100);
    const journal = join(folder, 'journal.jsonl');
    const lines = readFileSync(journal, 'utf8').split('\n');
    const last = lines.findIndex((line) => line.includes('"step":"sallyport","state":"begun"'));
    await writeFile(journal, lines.slice(0, last + 1).join('\n') + '\n');
    return folder;
  };

  it('goes on with --resume where it was cut off: what is whole stays, what was half is made anew', async () => {
    const { backup: id } = await stage.json('create');
    await cutOff(String(id));
    await execute(stage.zitadelUrl, 'delete from projections.users14');
    await execute(stage.databaseUrl, 'delete from notes');
    expect((await stage.run('create', '--resume')).stderr).toContain('zitadel: is there already');
    expect(stage.backups()).toEqual([id]);
    expect(manifest().parts).toMatchObject([
      { name: 'zitadel', rows: { 'projections.users14': 40 } },
      { name: 'sallyport', rows: { 'public.notes': 0 } },
      {},
      {},
      {},
    ]);
    expect(await stage.run('verify', '--checksums')).toMatchObject({ code: 0 });
    expect(await stage.run('create', '--resume')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no backup was cut off') as unknown,
    });
  });

  it('makes anew with --resume what was changed since, or is of another database', async () => {
    const { backup: id } = await stage.json('create');
    const folder = await cutOff(String(id));
    await truncate(join(folder, 'zitadel.dump'), 50);
    expect((await stage.run('create', '--resume')).stderr).not.toContain('is there already');
    expect(await stage.run('verify', '--checksums')).toMatchObject({ code: 0 });
    await cutOff(String(id));
    const elsewhere = { ZITADEL_DATABASE_URL: stage.databaseUrl };
    expect((await stage.runWith(elsewhere, 'create', '--resume')).stderr).not.toContain('is there already');
  });

  it('makes a folder that was there before its owner’s alone', async () => {
    await mkdir(stage.dir, { mode: 0o755 });
    expect(await stage.runWith({ ZITADEL_DATABASE_URL: '' }, 'create')).toMatchObject({ code: 0 });
    expect(modeOf(stage.dir)).toBe(0o700);
  });

  it('refuses a second backup while one is under way', async () => {
    // pg_dump waits for the lock, so the first one is at work for as long as this is held.
    const holder = new Client({ connectionString: stage.databaseUrl });
    await holder.connect();
    await holder.query('begin; lock table notes in access exclusive mode');
    const first = ended(stage.spawn('create'));
    await recorded(stage, 'backup', 'sallyport');
    expect((await stage.run('create')).stderr).toContain('another backup is under way');
    await holder.end();
    expect(await first).toMatchObject({ code: 0 });
    expect(stage.backups()).toHaveLength(1);
  });
});
