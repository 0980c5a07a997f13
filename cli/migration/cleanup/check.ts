import { stat } from 'node:fs/promises';
import { audit } from '../../../shared/people/audit.ts';
import { Failure } from '../../failure.ts';
import { operator, withDatabase } from '../../people/ground.ts';
import { print, printJson } from '../../terminal.ts';
import { judgeBackup } from './backup.ts';
import { BACKUP_CHECKED } from './checked.ts';
import { assertPasswords, readGate } from './gate.ts';
import { linesOf } from './report.ts';

export interface CheckCommand {
  readonly backup?: string;
  /** As `apply` would be run. */
  readonly removeWithoutAccount?: boolean;
  readonly json?: boolean;
}

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
