import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { describe, expect, it, vi } from 'vitest';
import { connect } from '../db/support.ts';
import { spawnSallyport } from '../support/sallyport.ts';
import { words } from './by-hand.ts';
import { cleanupOf, cleanupStage, postgres } from './stage.ts';

const WATCHDOG = { timeout: 300_000, interval: 20 };

describe.skipIf(postgres.missing)(
  'cleanup apply, between archive and drop (needs the postgresql package)',
  () => {
    const stage = cleanupStage();
    const { backup, closed, apply, restore } = cleanupOf(stage);

    it('goes past a sign-in that has read users and waits to write sessions', async () => {
      const line = stage.applied(`--backup ${await backup()} --wait 300`);
      const [, archive = ''] = /--archive (\S+)/.exec(line) ?? [];
      const reader = await connect(stage.db.url);
      await reader.query('begin');
      await reader.query('select from users limit 1');
      const applying = stage.run(line);
      await vi.waitUntil(() => there(archive), WATCHDOG);
      // By the command, or by Postgres where a busy machine lets a second pass before.
      await expect(reader.query('update sessions set revoked = true')).rejects.toThrow(
        /canceling statement|deadlock detected/,
      );
      await reader.end();
      expect(await applying).toMatchObject({ code: 0 });
    });

    it('killed there, has changed nothing: its archive restores nothing, and another run does it all', async () => {
      const before = await stage.users();
      const line = stage.applied(`--backup ${await backup()} --wait 300`);
      const [, archive = ''] = /--archive (\S+)/.exec(line) ?? [];
      // An open read of `users` holds up the drop; the archive is written meanwhile.
      const reader = await connect(stage.db.url);
      await reader.query('begin');
      await reader.query('select from users limit 1');
      const child = spawnSallyport({ DATABASE_URL: stage.db.url }, ...words(line));
      await vi.waitUntil(() => there(archive), WATCHDOG);
      child.kill('SIGKILL');
      await once(child, 'close');
      await reader.query('commit');
      await reader.end();
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
