import * as z from 'zod';
import type { AuditedAct } from '../../../shared/people/audit.ts';
import { sql, type Database } from '../../../shared/ports/database.ts';
import { backupLine, judgeBackup } from './backup.ts';
import type { GateLine } from './gate.ts';

/** What `check --backup` writes into the audit, so that a dump of hours is not read twice. */
export const BACKUP_CHECKED: AuditedAct = 'backup_checked';

const CheckedRow = z.object({ at: z.string() });

/** The backup that is named, or else the one that a check has read, while it is younger than a day. Throws as `Database`. */
export async function backupOf(
  file: string | undefined,
  database: Pick<Database, 'query'>,
): Promise<GateLine> {
  if (file !== undefined) return judgeBackup(file, database);
  const [row] = await database.query(
    sql`select max(detail ->> 'made_at') as at from sallyport_audit
        where what = ${BACKUP_CHECKED}::text and at > now() - interval '1 day'
          and (detail ->> 'made_at')::timestamptz > now() - interval '1 day'
        having max(detail ->> 'made_at') is not null`,
    CheckedRow,
  );
  if (row === undefined) return judgeBackup(undefined, database);
  return backupLine(undefined, `the backup of ${row.at}, which a check has read,`);
}
