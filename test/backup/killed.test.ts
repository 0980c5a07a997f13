import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { postgresMissing } from '../services/postgres.ts';
import { FULL } from '../support/scale.ts';
import { backupStage, ended, recorded } from './stage.ts';

describe.skipIf(postgresMissing)('a restore that is cut off (needs the postgresql package)', () => {
  const stage = backupStage();
  const { notes, changed } = stage;

  const STEPS = FULL
    ? ['run', 'back up', 'restore zitadel', 'restore sallyport', 'swap']
    : ['restore sallyport', 'swap'];

  it.each(STEPS)(
    'killed in the step "%s" it leaves the former databases or the restored ones, whole, and goes on',
    async (step) => {
      const id = await changed();
      const child = stage.spawn('restore', id, '--yes');
      const over = ended(child);
      await recorded(stage, 'restore', step);
      child.kill('SIGKILL');
      await over;
      const state = [await stage.users(), await notes()];
      expect([JSON.stringify([41, []]), JSON.stringify([40, [1, 2]])]).toContain(JSON.stringify(state));
      const resumed = await stage.run('restore', id, '--resume');
      // Killed after its last record it had nothing left to do.
      if (resumed.code !== 0) expect(resumed.stderr).toContain('nothing to go on with');
      expect([await stage.users(), await notes()]).toEqual([40, [1, 2]]);
      expect((await stage.databases()).filter((name) => /_restore_|_verify_/.test(name))).toEqual([]);
    },
  );

  it('ended by Ctrl-C it says how to go on', async () => {
    const id = await changed();
    const holder = new Client({ connectionString: stage.zitadelUrl });
    await holder.connect();
    const child = stage.spawn('restore', id, '--yes');
    const over = ended(child);
    await recorded(stage, 'restore', 'swap');
    child.kill('SIGINT');
    expect(await over).toMatchObject({
      code: 130,
      stderr: expect.stringContaining(`sallyport backup restore ${id} --resume`) as unknown,
    });
    await holder.end();
    expect(await stage.run('restore', id, '--resume', '--dry-run')).toMatchObject({ code: 0 });
    expect([await stage.users(), await notes()]).toEqual([41, []]);
    expect(await stage.run('restore', id, '--resume')).toMatchObject({ code: 0 });
    expect([await stage.users(), await notes()]).toEqual([40, [1, 2]]);
  });

  it('stops when the server goes away while it restores, with the former databases in place, and goes on', async () => {
    const id = await changed();
    const over = ended(stage.spawn('restore', id, '--yes'));
    await recorded(stage, 'restore', 'restore zitadel');
    await stage.server.kill();
    await stage.server.start();
    const { code, stderr } = await over;
    // It may have been quicker than the kill.
    if (code !== 0) {
      expect(stderr).toContain(`sallyport backup restore ${id} --resume`);
      expect([await stage.users(), await notes()]).toEqual([41, []]);
      expect(await stage.run('restore', id, '--resume')).toMatchObject({ code: 0 });
    }
    expect([await stage.users(), await notes()]).toEqual([40, [1, 2]]);
  });

  it('refuses a second restore while one is under way', async () => {
    const id = await changed();
    const holder = new Client({ connectionString: stage.zitadelUrl });
    await holder.connect();
    const first = ended(stage.spawn('restore', id, '--yes'));
    await recorded(stage, 'restore', 'swap');
    for (const more of [['--yes'], ['--resume']]) {
      const { code, stderr } = await stage.run('restore', id, ...more);
      expect({ code, stderr }).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('another restore is under way') as unknown,
      });
    }
    await holder.end();
    expect(await first).toMatchObject({ code: 0 });
    expect(await stage.users()).toBe(40);
  });
});
