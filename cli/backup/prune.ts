import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MANIFEST_FILE } from '../../shared/backup/records.ts';
import { orUnwritable } from '../input.ts';
import { backupIds, folderOf, readProof } from './layout.ts';
import { backupsInUse } from './restore-run.ts';

/**
 * Removes all backups but the newest `keep` whole ones, the last that was proven, and those that a restore is to go on with; also what cut-off ones left, where a newer whole one
 * is there. Returns their ids. Throws Failure.
 */
export async function prune(dir: string, keep: number): Promise<readonly string[]> {
  const ids = backupIds(dir);
  const whole = ids.filter((id) => existsSync(join(folderOf(dir, id), MANIFEST_FILE)));
  const kept = new Set([...whole.slice(0, keep), readProof(dir)?.backup, ...backupsInUse(dir)]);
  const newest = whole[0] ?? '';
  const removed = ids.filter((id) => !kept.has(id) && id < newest);
  for (const id of removed) {
    const folder = folderOf(dir, id);
    // Without its manifest it is no backup any more, should this be cut off.
    await orUnwritable(folder, () => rm(join(folder, MANIFEST_FILE), { force: true }));
    await orUnwritable(folder, () => rm(folder, { recursive: true, force: true }));
  }
  return removed;
}
