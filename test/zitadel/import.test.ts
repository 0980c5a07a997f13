// Long because the promises of an import that goes well are shown on one database.
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import { postgresMissing } from '../services/postgres.ts';
import { spawnSallyport } from '../support/sallyport.ts';
import { FULL } from '../support/scale.ts';
import { openImportGround, type Format, type ImportGround } from './import-ground.ts';

const NEW = { people: 3, prefix: 'new' };
const OLD = { people: 2, prefix: 'old' };
/** Each of them in full; else one of each kind, of text and of an archive. */
const FORMATS: readonly Format[] = FULL
  ? ['plain', 'gzip', 'zstd', 'custom', 'directory']
  : ['gzip', 'custom'];

describe.skipIf(postgresMissing)('zitadel import --to postgres (needs the postgresql package)', () => {
  let ground: ImportGround;
  beforeAll(async () => {
    ground = await openImportGround();
  });
  afterAll(() => ground.close());
  beforeEach(() => ground.reset(OLD));

  it.each(FORMATS)(
    'puts a dump in %s format in the place of the database, and keeps the former one until `finish`',
    async (format) => {
      const dump = await ground.dump(format, NEW);
      const { code, stdout, stderr } = await ground.import(
        ground.variables(),
        dump,
        '--to',
        'postgres',
        '--yes',
        '--json',
      );
      expect(stderr).toContain('masterkey');
      expect(code, stderr).toBe(0);
      const { run, kept, remaining, next } = JSON.parse(stdout) as Record<string, string> & {
        remaining: unknown[];
      };
      expect(await ground.people()).toBe('new-1,new-2,new-3');
      expect(await ground.people(kept)).toBe('old-1,old-2');
      expect(remaining).toHaveLength(5);
      expect(next).toContain('sallyport zitadel import --resume');
      expect(
        await ground.query(
          "select usename from pg_tables t join pg_user on usename = tableowner where tablename = 'users14'",
          'zitadel',
        ),
      ).toBe('zitadel');
      const finished = await ground.import(ground.variables(), 'finish', run!, '--yes', '--json');
      expect(finished.code, finished.stderr).toBe(0);
      expect(await ground.databases()).toEqual(['zitadel']);
    },
  );

  if (FULL)
    it.each(['custom', 'directory'] as const)(
      'fills large tables by several sessions (%s)',
      async (format) => {
        const many = { ...NEW, people: 100_000 };
        const done = await ground.import(
          ground.variables(),
          await ground.dump(format, many),
          '--yes',
          '--jobs',
          '4',
        );
        expect(done.code, done.stderr).toBe(0);
        expect(
          await ground.query('select count(*), count(distinct id) from projections.users14', 'zitadel'),
        ).toBe('100000|100000');
        const back = await ground.import(ground.variables(), 'recover', '--yes');
        expect(back.code, back.stderr).toBe(0);
        expect(await ground.people()).toBe('old-1,old-2');
      },
    );

  it('shows the plan and changes nothing until it is confirmed, or with --dry-run', async () => {
    const dump = await ground.dump('custom', NEW);
    for (const options of [[], ['--dry-run']]) {
      const { code, stdout, stderr } = await ground.import(ground.variables(), dump, ...options);
      expect(stdout + stderr).toMatch(
        /1 instance \(localhost\), 1 organisation, 3 users, 7 events\n.* owner: zitadel\n[^]*what will be done/,
      );
      expect(code).toBe(options.length === 0 ? 1 : 0);
      expect(await ground.databases()).toEqual(['zitadel']);
      expect(await ground.people()).toBe('old-1,old-2');
    }
  });

  it('keeps its plan in a file, and refuses to carry out another one', async () => {
    const dump = await ground.dump('custom', NEW);
    const plan = join(ground.folder, 'plan.json');
    const planned = await ground.import(ground.variables(), dump, '--plan', plan, '--dry-run');
    expect(planned.code, planned.stderr).toBe(0);
    expect(JSON.parse(await readFile(plan, 'utf8'))).toMatchObject({
      dump: { users: 3, owners: ['zitadel'] },
    });
    const other = await ground.import(
      ground.variables(),
      await ground.dump('plain', NEW),
      '--plan',
      plan,
      '--yes',
    );
    expect(other.code).toBe(1);
    expect(other.stderr).toContain('holds another plan: the dump was');
    const carriedOut = await ground.import(ground.variables(), dump, '--plan', plan, '--yes');
    expect(carriedOut.code, carriedOut.stderr).toBe(0);
    expect(await ground.people()).toBe('new-1,new-2,new-3');
  });

  it('keeps journal and backup in a folder that its owner alone can read', async () => {
    const backups = join(ground.folder, 'private');
    const dump = await ground.dump('custom', NEW);
    const { stdout } = await ground.import(
      { ...ground.variables(), BACKUP_DIR: backups },
      dump,
      '--yes',
      '--json',
    );
    const { journal } = JSON.parse(stdout) as { journal: string };
    const modes = await Promise.all(
      [backups, journal, join(journal, 'target.dump'), join(journal, 'journal.jsonl')].map(async (path) =>
        ((await stat(path)).mode & 0o777).toString(8),
      ),
    );
    expect(modes).toEqual(['700', '700', '600', '600']);
  });

  it('makes the database where there is none', async () => {
    const dump = await ground.dump('custom', NEW);
    const variables = ground.variables('zitadel_fresh');
    const { code, stderr } = await ground.import(variables, dump, '--to', 'postgres', '--yes');
    expect(code, stderr).toBe(0);
    expect(await ground.people('zitadel_fresh')).toBe('new-1,new-2,new-3');
    expect(await ground.databases('zitadel_fresh')).toEqual(['zitadel_fresh']);
  });

  it('puts a dump in the place of a database whatever its name holds', async () => {
    const name = `zitadel "of" o'brien = ü\\/&%`;
    const target = encodeURIComponent(name);
    await ground.query(`create database "${name.replaceAll('"', '""')}" owner zitadel`);
    for (const format of ['custom', 'plain'] as const) {
      const { code, stderr } = await ground.import(
        ground.variables(target),
        await ground.dump(format, NEW),
        '--yes',
      );
      expect(code, stderr).toBe(0);
      expect(await ground.people(target)).toBe('new-1,new-2,new-3');
    }
    const back = await ground.import(ground.variables(target), 'recover', '--yes');
    expect(back.code, back.stderr).toBe(0);
    expect((await ground.databases()).filter((each) => each === name)).toHaveLength(1);
  });

  it('needs no superuser, but a role that may create databases, read, and act as the owner; `recover` takes the newest of its database', async () => {
    await ground.query(
      'create role import_operator login createdb; grant zitadel, pg_read_all_data to import_operator',
    );
    const url = ground.variables()['ZITADEL_DATABASE_URL']!.replace('postgres@', 'import_operator@');
    const variables = { ...ground.variables(), ZITADEL_DATABASE_URL: url };
    const { code, stderr } = await ground.import(variables, await ground.dump('custom', NEW), '--yes');
    expect(code, stderr).toBe(0);
    await ground.import(ground.variables('zitadel_other'), await ground.dump('custom', NEW), '--yes');
    const back = await ground.import(ground.variables(), 'recover', '--yes');
    expect(back.code, back.stderr).toBe(0);
    expect(await ground.people()).toBe('old-1,old-2');
  });

  it('gives what a --no-owner dump holds to the owner of the former tables', async () => {
    const dump = await ground.dump('plain', NEW, '--no-owner');
    const { code, stderr } = await ground.import(ground.variables(), dump, '--yes');
    expect(code, stderr).toBe(0);
    expect(
      await ground.query(
        "select distinct tableowner from pg_tables where schemaname = 'projections'",
        'zitadel',
      ),
    ).toBe('zitadel');
  });

  it('keeps privileges, settings and the limit of connections of the database', async () => {
    await ground.query(
      "alter database zitadel connection limit 40; alter database zitadel set work_mem to '7MB'; grant create on database zitadel to zitadel; revoke connect on database zitadel from public",
    );
    const { code, stderr } = await ground.import(
      ground.variables(),
      await ground.dump('custom', NEW),
      '--yes',
    );
    expect(code, stderr).toBe(0);
    expect(
      await ground.query(
        "select datconnlimit, has_database_privilege('zitadel', 'zitadel', 'create'), has_database_privilege('pg_monitor', 'zitadel', 'connect'), (select setconfig from pg_db_role_setting where setdatabase = d.oid) from pg_database d where datname = 'zitadel'",
      ),
    ).toBe('40|t|f|{work_mem=7MB}');
  });

  it('goes back to the former database by `recover`: by its name while it is kept, and by the backup after `finish`', async () => {
    const dump = await ground.dump('custom', NEW);
    for (const finish of [false, true]) {
      const done = await ground.import(ground.variables(), dump, '--yes');
      expect(done.code, done.stderr).toBe(0);
      if (finish) await ground.import(ground.variables(), 'finish', '--yes');
      const unconfirmed = await ground.import(ground.variables(), 'recover');
      expect(unconfirmed.code).toBe(1);
      expect(await ground.people()).toBe('new-1,new-2,new-3');
      const { code, stdout, stderr } = await ground.import(ground.variables(), 'recover', '--yes', '--json');
      expect(code, stderr).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ ok: true, by: finish ? 'backup' : 'rename' });
      expect(await ground.people()).toBe('old-1,old-2');
      await ground.import(ground.variables(), 'finish', '--yes');
      expect(await ground.databases()).toEqual(['zitadel']);
    }
  });

  it('finish names the database that an earlier import has kept, which it does not take by default', async () => {
    const dump = await ground.dump('custom', NEW);
    const runs: string[] = [];
    for (let each = 0; each < 2; each += 1) {
      const done = await ground.import(ground.variables(), dump, '--to', 'postgres', '--yes', '--json');
      runs.push((JSON.parse(done.stdout) as { run: string }).run);
    }
    const finished = await ground.import(ground.variables(), 'finish', '--yes');
    expect(finished.stdout).toContain(
      `next: sallyport zitadel import finish ${runs[0] ?? ''}, which removes`,
    );
    const again = await ground.import(ground.variables(), 'finish', '--yes');
    expect(again.stdout).toContain(`nothing of it is kept beside zitadel`);
    const last = await ground.import(ground.variables(), 'finish', runs[0] ?? '', '--yes');
    expect(last.stdout).toContain('next: sallyport backup create');
    expect(await ground.databases()).toEqual(['zitadel']);
  });

  it('waits for the sessions of the target, names who holds one, and swaps when they have ended', async () => {
    const dump = await ground.dump('custom', NEW);
    const held = await openPgSession(ground.variables()['ZITADEL_DATABASE_URL']!);
    await held.script("set application_name to 'the running zitadel'");
    const child = spawnSallyport(ground.variables(), 'zitadel', 'import', dump, '--yes');
    let said = '';
    await new Promise<void>((resolve) => {
      child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.includes('waiting: connected to zitadel')) resolve();
      });
    });
    expect(said).toContain('the running zitadel');
    expect(await ground.people()).toBe('old-1,old-2');
    await held.close();
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code, said).toBe(0);
    expect(await ground.people()).toBe('new-1,new-2,new-3');
  });

  it('swaps although short sessions come and go all the time', async () => {
    const dump = await ground.dump('custom', NEW);
    const child = spawnSallyport(ground.variables(), 'zitadel', 'import', dump, '--yes');
    child.stdout!.resume();
    let said = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (said += text));
    let isOver = false;
    const closed = new Promise((resolve) =>
      child.once('close', (code) => {
        isOver = true;
        resolve(code);
      }),
    );
    const visitor = async (): Promise<void> => {
      while (!isOver) await ground.people().catch(() => undefined);
    };
    const [code] = await Promise.all([closed, visitor(), visitor(), visitor()]);
    expect(code, said).toBe(0);
    expect(await ground.people()).toBe('new-1,new-2,new-3');
  });

  it('gives up on sessions that do not end in time, and goes on by --resume', async () => {
    const dump = await ground.dump('custom', NEW);
    const held = await openPgSession(ground.variables()['ZITADEL_DATABASE_URL']!);
    const gaveUp = await ground.import(ground.variables(), dump, '--yes', '--wait', '1');
    expect(gaveUp.code).toBe(1);
    expect(gaveUp.stderr).toContain('sessions are still connected to zitadel');
    expect(gaveUp.stderr).toContain('sallyport zitadel import recover');
    await held.close();
    const planned = await ground.import(ground.variables(), '--resume', '--dry-run', '--json');
    expect(JSON.parse(planned.stdout)).toMatchObject({
      dry_run: true,
      remaining: [{ name: 'swap' }, {}, {}, {}, {}, {}],
    });
    expect(await ground.people()).toBe('old-1,old-2');
    const { code, stderr } = await ground.import(ground.variables(), '--resume');
    expect(code, stderr).toBe(0);
    expect(await ground.people()).toBe('new-1,new-2,new-3');
  });

  it('proves the masterkey by a private key or a signing key where there is no web key', async () => {
    for (const proof of ['private key', 'signing key'] as const) {
      const { code, stdout, stderr } = await ground.import(
        ground.variables(),
        await ground.dump('plain', { ...NEW, proof }),
        '--dry-run',
      );
      expect(code, stderr).toBe(0);
      expect(stdout).toContain(`it opens ${proof}`);
    }
  });

  it('says that the masterkey is not proven where none is given', async () => {
    const variables = { ...ground.variables(), ZITADEL_MASTERKEY: '' };
    const { code, stdout } = await ground.import(variables, await ground.dump('custom', NEW), '--dry-run');
    expect(code).toBe(0);
    expect(stdout).toContain('skipped  masterkey: ZITADEL_MASTERKEY is not set');
  });

  it('leaves no password in its arguments, its output or its journal', async () => {
    await ground.query("create role operator superuser login password 'Grendel-7-secret'");
    const url = ground
      .variables()
      ['ZITADEL_DATABASE_URL']!.replace('postgres@', 'operator:Grendel-7-secret@');
    await mkdir(join(ground.folder, 'quiet'), { recursive: true });
    const variables = {
      ...ground.variables(),
      ZITADEL_DATABASE_URL: url,
      BACKUP_DIR: join(ground.folder, 'quiet'),
    };
    const { code, stdout, stderr } = await ground.import(
      variables,
      await ground.dump('custom', NEW),
      '--yes',
      '--json',
    );
    expect(code, stderr).toBe(0);
    const { journal } = JSON.parse(stdout) as { journal: string };
    const kept = await readFile(join(journal, 'journal.jsonl'), 'utf8');
    expect(stdout + stderr + kept).not.toContain('Grendel');
  });
});
