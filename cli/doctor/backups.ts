import { BACKUPS } from '../../shared/configuration/operations.ts';
import { NotSetUp, red, type Finding } from '../../shared/checks/check.ts';
import { judgeBackups, judgeProof } from '../../shared/checks/backups.ts';
import type { BackupRecords } from '../../shared/ports/backups.ts';
import { systemFault } from '../../shared/system-errors.ts';
import { isSet, partOf, type DoctorGround } from './ground.ts';

export function backups(ground: DoctorGround): Finding {
  return judged(ground, (records, folder) => judgeBackups(records, folder, ground.clock.now()));
}

export function restoreProven(ground: DoctorGround): Finding {
  return judged(ground, (records) => judgeProof(records, ground.clock.now()));
}

/** Where nobody has named a folder and there is none, nothing is set up. */
function judged(
  { platform }: DoctorGround,
  judge: (records: BackupRecords, folder: string) => Finding,
): Finding {
  const { backupDir: folder } = partOf(BACKUPS);
  try {
    const records = platform.backups?.(folder) ?? null;
    if (records !== null) return judge(records, folder);
  } catch (error) {
    return red(
      `${folder} cannot be read: ${systemFault(error) ?? 'unknown error'}`,
      'run the doctor as the user whose backups they are',
    );
  }
  if (isSet('BACKUP_DIR'))
    return red(`there is no folder ${folder}, which BACKUP_DIR names`, 'sallyport backup create');
  throw new NotSetUp(
    `no backups are kept here (BACKUP_DIR is not set, and there is no ${folder})`,
    'sallyport backup create',
  );
}
