import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { backup, containing, doctor, found, proven } from './stage.ts';

const NAMES = ['backups', 'restore-proven'] as const;

describe('checks of backups', () => {
  let folder: string;
  let variables: Record<string, string>;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-backups-'));
    variables = { BACKUP_DIR: folder };
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('are green with a backup of this night and one that was restored this quarter', async () => {
    await backup(folder, '20270101030000', 5);
    await proven(folder, 20);
    const results = await doctor(variables, NAMES);
    expect(Object.values(results).map(({ status }) => status)).toEqual(['green', 'green']);
  });

  it('are red without any, for one of the day before yesterday, and where none was restored for a quarter', async () => {
    expect(await found(variables, NAMES[0])).toMatchObject({
      status: 'red',
      next: 'sallyport backup create',
    });
    await backup(folder, '20270101030000', 50);
    expect(await found(variables, NAMES[0])).toMatchObject({ status: 'red', cause: containing('50 hours') });
    expect(await found(variables, NAMES[1])).toMatchObject({
      status: 'red',
      cause: containing('ever restored'),
    });
    await proven(folder, 91);
    expect(await found(variables, NAMES[1])).toMatchObject({
      status: 'red',
      next: 'sallyport backup verify latest',
    });
  });

  it('do not take one that was cut off for a backup', async () => {
    await backup(folder, '20270101030000', 40);
    await mkdir(join(folder, 'backup-20270102030000'));
    expect(await found(variables, NAMES[0])).toMatchObject({
      status: 'red',
      cause: containing('did not come to its end'),
    });
  });

  it('are red for a folder that is named and not there', async () => {
    expect(await found({ BACKUP_DIR: join(folder, 'nowhere') }, NAMES[0])).toMatchObject({ status: 'red' });
  });
});
