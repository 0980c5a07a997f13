import type { BackupRecords } from '../ports/backups.ts';
import { green, red, yellow, type Finding } from './check.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Daily, and the time that one takes. */
const MOST_HOURS = 26;
/** A quarter, as the other reviews of the checklist. */
const PROVEN_DAYS = 90;

export function judgeBackups({ newest, incomplete }: BackupRecords, folder: string, now: number): Finding {
  const cut = incomplete ? '; the last one did not come to its end' : '';
  if (newest === null) return red(`there is no whole backup in ${folder}${cut}`);
  const hours = Math.floor((now - newest.getTime()) / HOUR_MS);
  if (hours >= MOST_HOURS) return red(`the newest backup is ${hours} hours old${cut}`);
  return incomplete
    ? yellow(`the newest backup is ${hours} hours old${cut}`)
    : green(`the newest backup is ${hours} hours old`);
}

export function judgeProof({ newest, proven }: BackupRecords, now: number): Finding {
  if (proven === null)
    return newest === null
      ? red('there is no backup that could be restored', 'sallyport backup create')
      : red('no backup was ever restored');
  const days = Math.floor((now - proven.getTime()) / DAY_MS);
  const cause = `a backup was restored and counted ${days} days ago`;
  if (days >= PROVEN_DAYS) return red(cause);
  return days >= PROVEN_DAYS - 14 ? yellow(cause) : green(cause);
}
