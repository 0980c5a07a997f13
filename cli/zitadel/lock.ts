import { resolve } from 'node:path';
import { OPERATIONS } from '../../shared/configuration/operations.ts';
import { processes } from '../deps.ts';
import { Failure } from '../failure.ts';
import { lockFolder, type FolderLock } from '../folder-lock.ts';
import { systemFault } from '../../shared/system-errors.ts';
import { configured } from '../variables.ts';

/** Keeps others of this kind out until it is released; it dies with the process. Throws Failure while another one is under way. */
export function takeLock(kind: string): FolderLock {
  const root = resolve(configured(OPERATIONS).backupDir);
  const lock = attempt(root, kind);
  if (typeof lock !== 'string') return lock;
  throw new Failure(
    `another ${kind} is under way (${lock}): wait for it. Where its process is gone for certain, remove that file`,
  );
}

function attempt(root: string, kind: string): FolderLock | string {
  try {
    return lockFolder(root, kind, processes);
  } catch (error) {
    const why = systemFault(error);
    throw why === undefined
      ? error
      : new Failure(`cannot write ${root} (BACKUP_DIR): ${why}`, { cause: error });
  }
}
