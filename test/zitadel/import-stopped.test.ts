import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import { postgresMissing } from '../services/postgres.ts';
import { spawnSallyport } from '../support/sallyport.ts';
import { times } from '../support/scale.ts';
import { openImportGround, type ImportGround } from './import-ground.ts';
import { journalOf, runsIn, until } from './import-runs.ts';

const run = promisify(execFile);
const NEW = { people: 3, prefix: 'new', payloadBytes: 3_000 };
const OLD = { people: 2, prefix: 'old' };

describe.skipIf(postgresMissing)('an import that is stopped (needs the postgresql package)', () => {
  let ground: ImportGround;
  beforeAll(async () => {
    ground = await openImportGround();
  });
  afterAll(() => ground.close());
  beforeEach(() => ground.reset(OLD));

  it.each(['backup', 'restore', 'verify', 'swap'].slice(times(0, 3)))(
    'says what it left and how to go on and back when the connection is lost in %s',
    async (step) => {
      const dump = await ground.dump('custom', { ...NEW, people: 2_000 });
      const before = await runsIn(ground);
      // A session that is in the way keeps the swap waiting, so that there is a moment to lose the connection in.
      const held =
        step === 'swap' ? await openPgSession(ground.variables()['ZITADEL_DATABASE_URL']!) : undefined;
      let isOver = false;
      const going = ground.import(ground.variables(), dump, '--yes').finally(() => (isOver = true));
      await journalOf(ground, before, () => isOver, `"step":"${step}","state":"begun"`);
      await ground.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'sallyport%'",
      );
      const { code, stderr: text } = await going;
      await held?.close();
      if (code !== 0) {
        expect(text).toMatch(/state: zitadel is the former database/);
        expect(text).toContain('on: sallyport zitadel import --resume');
        expect(text).toContain('back: sallyport zitadel import recover');
        expect(await ground.people()).toBe('old-1,old-2');
      }
      const resumed = await ground.import(ground.variables(), '--resume');
      expect(resumed.code, resumed.stderr).toBe(0);
      expect(await ground.people()).toContain('new-1');
      expect((await ground.databases()).length).toBe(2);
    },
  );

  it.each(['reading', '✓ backup', '✓ restore'].slice(times(0, 2)))(
    'ends with 130 on Ctrl-C at "%s", says what it left, and goes on',
    async (moment) => {
      const dump = await ground.dump('plain', { ...NEW, people: 3_000 });
      const child = spawnSallyport(ground.variables(), 'zitadel', 'import', dump, '--yes');
      let said = '';
      child.stdout!.resume();
      child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        if (!said.includes(moment) && (said + text).includes(moment)) child.kill('SIGINT');
        said += text;
      });
      const [code] = (await once(child, 'close')) as [number];
      expect(code, said).toBe(130);
      expect(said).toMatch(
        moment === 'reading'
          ? /interrupted|AbortError|aborted/
          : /interrupted[^]*on: sallyport zitadel import --resume/,
      );
      expect(await ground.people()).toBe('old-1,old-2');
      const resumed = await ground.import(ground.variables(), dump, '--resume', '--yes');
      expect(resumed.code, resumed.stderr).toBe(0);
      expect(await ground.people()).toContain('new-3000');
    },
  );

  it('stops at the first error of a restore, drops the part, and leaves the target alone', async () => {
    const dump = await ground.dump('plain', NEW);
    const broken = join(ground.folder, 'broken.sql');
    await writeFile(
      broken,
      (await readFile(dump, 'utf8')).replace(
        'ALTER TABLE ONLY projections.users14_humans',
        'ALTER TABLE ONLY projections.no_such_table',
      ),
    );
    const { code, stderr } = await ground.import(ground.variables(), broken, '--yes');
    expect(code).toBe(1);
    expect(stderr).toMatch(/restore: psql ended with 3: .*no_such_table/);
    expect(stderr).toContain('state: zitadel is the former database, untouched');
    expect(await ground.databases()).toEqual(['zitadel']);
    expect(await ground.people()).toBe('old-1,old-2');
  });

  it('begins anew with --resume and a dump where there is nothing to go on with, and removes the part of one that was cut off', async () => {
    const dump = await ground.dump('plain', NEW);
    const broken = join(ground.folder, 'cut-off.sql');
    const text = await readFile(dump, 'utf8');
    await writeFile(broken, text);
    const child = spawnSallyport(ground.variables(), 'zitadel', 'import', broken, '--yes');
    const before = await runsIn(ground);
    await journalOf(ground, before, () => child.exitCode !== null, '"step":"verify","state":"begun"');
    child.kill('SIGKILL');
    await until(child, undefined);
    const other = await ground.import(ground.variables(), dump, '--resume', '--yes');
    expect(other.stderr).toMatch(/is of .*cut-off\.sql, not of/);
    const { code, stderr } = await ground.import(ground.variables(), dump, '--yes');
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/was cut off before its swap: its part zitadel_import_\d{14} is removed/);
    const again = await ground.import(
      ground.variables(),
      await ground.dump('custom', NEW),
      '--resume',
      '--yes',
    );
    expect(again.code, again.stderr).toBe(0);
    expect(again.stderr).toContain('there is no import to go on with: a new one begins');
    expect((await ground.databases()).filter((name) => name.includes('_import_'))).toEqual([]);
  });

  it('refuses to go on with a dump that has changed since', async () => {
    const dump = await ground.dump('plain', NEW);
    const text = await readFile(dump, 'utf8');
    await writeFile(
      dump,
      text.replace(
        'ALTER TABLE ONLY projections.users14_humans',
        'ALTER TABLE ONLY projections.no_such_table',
      ),
    );
    await ground.import(ground.variables(), dump, '--yes');
    await writeFile(dump, `${text}\n`);
    const { code, stderr } = await ground.import(ground.variables(), '--resume');
    expect(stderr).toContain('has changed since it was read');
    expect(code).toBe(1);
    expect((await ground.import(ground.variables(), 'recover', '--yes')).code).toBe(0);
    const again = await ground.import(ground.variables(), '--resume');
    expect(again.stderr).toContain('was recovered from');
    expect(again.code).toBe(1);
    expect(await ground.people()).toBe('old-1,old-2');
  });

  it.each((['before', 'within'] as const).slice(times(0, 1)))(
    'stops on a full disk %s the backup, and leaves no part of it',
    async (when) => {
      const small = join(ground.folder, `small-${when}`);
      await mkdir(small);
      if (!(await mounted(small, when === 'before' ? '100k' : '2m'))) return;
      try {
        if (when === 'within')
          await ground.make('zitadel', { ...OLD, people: 3_000, payloadBytes: 3_000, noise: true });
        const before = await ground.people();
        const variables = { ...ground.variables(), BACKUP_DIR: join(small, 'backups') };
        const dump = await ground.dump('custom', NEW);
        const { code, stderr } = await ground.import(variables, dump, '--yes');
        expect(stderr).toMatch(
          when === 'before'
            ? /disk: BACKUP_DIR has .* free/
            : /backup: pg_dump ended with 1: .*No space left/s,
        );
        expect(code).toBe(1);
        expect(await ground.people()).toBe(before);
        expect(await ground.databases()).toEqual(['zitadel']);
        if (when === 'before') return;
        await run('mount', ['-o', 'remount,size=100m', small]);
        const resumed = await ground.import(variables, '--resume');
        expect(resumed.code, resumed.stderr).toBe(0);
      } finally {
        await run('umount', [small]);
      }
    },
  );

  it('stops when the disk fills up during the restore, drops the part, and goes on once there is room', async (context) => {
    const small = await mkdtemp(join(tmpdir(), 'sallyport-small-'));
    await chmod(small, 0o755);
    if (!(await mounted(small, '24m'))) context.skip('a file system of its own cannot be mounted here');
    try {
      await ground.query(`create tablespace small location '${small}'`);
      await ground.query('alter database zitadel set tablespace small');
      const dump = await ground.dump('custom', { ...NEW, people: 40_000, payloadBytes: 20 });
      const { code, stderr } = await ground.import(ground.variables(), dump, '--yes');
      expect(stderr).toMatch(/restore: pg_restore ended with 1: .*No space left on device/s);
      expect(stderr).toContain('state: zitadel is the former database, untouched');
      expect(code).toBe(1);
      expect(await ground.databases()).toEqual(['zitadel']);
      expect(await ground.people()).toBe('old-1,old-2');
      await run('mount', ['-o', 'remount,size=400m', small]);
      const resumed = await ground.import(ground.variables(), '--resume');
      expect(resumed.code, resumed.stderr).toBe(0);
      expect(await ground.people()).toContain('new-40000');
    } finally {
      for (const name of await ground.databases()) await ground.query(`drop database ${name} with (force)`);
      await ground.query('drop tablespace if exists small');
      await run('umount', ['-l', small]);
      await rm(small, { recursive: true });
    }
  });
});

/** A file system of this size; false where this user may not mount one. */
async function mounted(folder: string, size: string): Promise<boolean> {
  try {
    const { stdout } = await run('id', ['-u', 'postgres']);
    await run('mount', ['-t', 'tmpfs', '-o', `size=${size},uid=${stdout.trim()}`, 'tmpfs', folder]);
    return true;
  } catch {
    return false;
  }
}
