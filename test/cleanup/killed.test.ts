import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { connect } from '../db/support.ts';
import { spawnSallyport } from '../support/sallyport.ts';
import { words } from './by-hand.ts';
import { awaited, cleanupOf, cleanupStage, postgres, WATCHDOG } from './stage.ts';

const Pid = z.object({ pid: z.number() });

describe.skipIf(postgres.missing)(
  'cleanup apply, between archive and drop (needs the postgresql package)',
  () => {
    const stage = cleanupStage();
    const { backup, closed, apply, restore } = cleanupOf(stage);
    const archiveIn = (line: string) => /--archive (\S+)/.exec(line)?.[1] ?? '';

    it('waits for a transaction that has read users, and lets it write', async () => {
      const line = stage.applied(`--backup ${await backup()} --wait 300`);
      const reader = await connect(stage.db.url);
      await reader.query('begin');
      await reader.query('select from users limit 1');
      const applying = stage.run(line);
      await awaited(stage, 'users');
      await reader.query('update sessions set revoked = true');
      await reader.query('update users set failed_login_attempts = 1');
      await reader.query('commit');
      await reader.end();
      expect(await applying).toMatchObject({ code: 0 });
    });

    it('killed while it waits, has changed nothing and left no archive: the same line does it all', async () => {
      const before = await stage.users();
      const line = stage.applied(`--backup ${await backup()} --wait 300`);
      const archive = archiveIn(line);
      const reader = await connect(stage.db.url);
      await reader.query('begin');
      await reader.query('select from users limit 1');
      const child = spawnSallyport({ DATABASE_URL: stage.db.url }, ...words(line));
      await awaited(stage, 'users');
      child.kill('SIGKILL');
      await once(child, 'close');
      await reader.query('commit');
      await reader.end();
      await closed(restore(`${archive}.partial`), /is cut off/);
      await expect(access(archive)).rejects.toThrow('ENOENT');
      expect(await stage.users()).toEqual(before);
      expect(await stage.run(line)).toMatchObject({ code: 0 });
      expect(await stage.run(restore(archive))).toMatchObject({ code: 0 });
      expect(await stage.users()).toEqual(before);
    });

    it('killed once the archive has its name, has changed nothing: that restores nothing, and another run does it all', async () => {
      const before = await stage.users();
      const line = stage.applied(`--backup ${await backup()} --wait 300`);
      const archive = archiveIn(line);
      const other = await connect(stage.db.url);
      // The last statement before the commit does not come back.
      await other.query(`create function stand_still() returns trigger language plpgsql as $$ begin perform pg_sleep(3600); return new; end $$;
        create trigger stand_still before insert on sallyport_runs for each row when (new.kind = 'cleanup') execute function stand_still()`);
      const child = spawnSallyport({ DATABASE_URL: stage.db.url }, ...words(line));
      await vi.waitUntil(() => there(archive), WATCHDOG);
      child.kill('SIGKILL');
      await once(child, 'close');
      // Its connection notices when it answers.
      const left = sql`select pid from pg_stat_activity where datname = current_database() and application_name = 'sallyport db'`;
      for (const { pid } of await stage.database.query(left, Pid))
        await other.query('select pg_terminate_backend($1)', [pid]);
      await vi.waitUntil(async () => (await stage.database.query(left, Pid)).length === 0, WATCHDOG);
      await other.query('drop function stand_still cascade');
      await other.end();
      await closed(restore(archive), /was not cleaned up into this archive/);
      await closed(line, /never overwritten/);
      expect(await stage.users()).toEqual(before);
      const done = await apply();
      expect(await stage.run(restore(done.archive))).toMatchObject({ code: 0 });
      expect(await stage.users()).toEqual(before);
    });
  },
);

function there(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
