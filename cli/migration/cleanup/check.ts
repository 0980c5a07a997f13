import { stat } from 'node:fs/promises';
import * as z from 'zod';
import { audit, type AuditedAct } from '../../../shared/people/audit.ts';
import { sql, type Database } from '../../../shared/ports/database.ts';
import { Failure } from '../../failure.ts';
import { operator, withDatabase } from '../../people/ground.ts';
import { print, printJson } from '../../terminal.ts';
import { backupLine, judgeBackup } from './backup.ts';
import { assertPasswords, readGate, type GateLine } from './gate.ts';
import { linesOf } from './report.ts';

export interface CheckCommand {
  readonly backup?: string;
  /** As `apply` would be run. */
  readonly removeWithoutAccount?: boolean;
  readonly json?: boolean;
}

/** Recorded by `check --backup`, so that `apply` need not read a large dump again. */
const BACKUP_CHECKED: AuditedAct = 'backup_checked';

/** Prints the gate line by line. Throws Failure while it is closed. */
export async function runCheck({
  backup: file,
  removeWithoutAccount: removing = false,
  json,
}: CheckCommand): Promise<void> {
  const { name, gate } = await withDatabase(async ({ database }) => {
    const name = await assertPasswords(database);
    const backup = await judgeBackup(file, database);
    if (backup.ok && file !== undefined) {
      const made_at = (await stat(file)).mtime.toISOString();
      await audit(database, { who: operator(), what: BACKUP_CHECKED, from: 'cli', detail: { made_at } });
    }
    return { name, gate: [...(await readGate(database, removing)), backup] };
  });
  const ok = gate.every((line) => line.ok);
  if (json === true) printJson({ database: name, ok, lines: gate });
  else {
    for (const line of linesOf(gate)) print(line);
    print(ok ? 'the gate is open' : 'the gate is closed');
  }
  if (!ok) throw new Failure('');
}

const CheckedRow = z.object({ at: z.string() });

/** The line of the named backup, or else of the last one that a check has read within a day. Throws as `Database`. */
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
