/** What a code of the operating system means, and what to do next. The code stays beside it, for a search. */
const MEANINGS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder: check the path, which counts from the folder the program runs in',
  ENOTDIR: 'a part of the path is a file, not a folder: check the path',
  EISDIR: 'it is a folder: name a file',
  EACCES: 'permission is denied: run as a user who may, or change the permissions',
  EPERM: 'the system does not allow it: run as a user who may, or choose another place',
  EROFS: 'the file system is read-only: choose another place',
  ENOSPC: 'no space is left on the disk: make room, then do it again',
  EDQUOT: 'the disk quota is used up: make room, then do it again',
  EFBIG: 'the file would be larger than the system allows',
  EMFILE: 'too many files are open: raise the limit (ulimit -n)',
  ENAMETOOLONG: 'the name is too long: choose a shorter one',
  ELOOP: 'its symbolic links lead in a circle: check the path',
  ENOTEMPTY: 'the folder is not empty: choose another place',
  EXDEV: 'it would have to move to another disk: choose a place on the same one',
  EIO: 'the disk failed to read or write: check it',
};

/** The code of a fault of the operating system; undefined for any other error. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return /^E[A-Z0-9]{2,}$/.test(error.code) ? error.code : undefined;
}

/** Why a file cannot be read, in words. */
export function whyUnreadable(error: unknown): string {
  return systemFault(error) ?? (error instanceof Error ? error.message : 'unreadable');
}

/** The fault in words with its code, as in `there is no such file … (ENOENT)`; undefined for what is no fault of the system. */
export function systemFault(error: unknown): string | undefined {
  const code = systemCode(error);
  if (code === undefined || !(error instanceof Error)) return undefined;
  return `${MEANINGS[code] ?? (error.message || 'the system refused')} (${code})`;
}
