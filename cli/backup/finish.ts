import { OPERATIONS } from '../../shared/configuration/operations.ts';
import { confirmed } from '../confirm.ts';
import { Failure } from '../failure.ts';
import { continueRun, listRuns, type Journal } from '../journal.ts';
import { note, print, printJson } from '../terminal.ts';
import { configured } from '../variables.ts';
import { databaseOf } from '../children/postgres.ts';
import { dropDatabase, findDatabase } from '../zitadel/import/server.ts';
import type { Target } from './database.ts';
import { DATABASE_NAMES } from './layout.ts';
import { onServer } from './rebuild.ts';
import { ENDED, restorePlace } from './restore.ts';
import { copyOf, keptOf } from './restore-plan.ts';
import { targetOf } from './sources.ts';

export interface FinishCommand {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/**
 * Removes what a restore has kept: the replaced databases after one that ended, the copies of one that was cut off before its swap.
 * Throws Failure for one that was cut off within, which has to go on.
 */
export async function runFinish(run: string | undefined, options: FinishCommand): Promise<void> {
  const { backupDir } = configured(OPERATIONS);
  const place = restorePlace(backupDir);
  const chosen = run ?? listRuns(place).at(-1);
  if (chosen === undefined) throw new Failure(`there is no restore in ${backupDir}`);
  const journal = continueRun(place, chosen);
  try {
    const ended = journal.find(ENDED, 'done') !== undefined;
    if (!ended && journal.entries.some(({ step, state }) => step.startsWith('swap ') && state === 'done'))
      throw new Failure(
        `restore ${chosen} has replaced some databases and not others: \`sallyport backup restore ${String(journal.find('run', 'begun')?.['backup'])} --resume\` goes on`,
      );
    const left = await leftBy(journal, ended);
    const names = left.map(({ database }) => database);
    if (options.dryRun !== true && names.length > 0)
      await confirmed({ what: `this drops ${names.join(', ')}`, name: names.join(',') }, options.yes);
    if (options.dryRun !== true) {
      for (const { target, database } of left)
        await onServer(target, (server) => dropDatabase(server, database));
      if (!ended) journal.record(ENDED, 'done', { taken_back: true });
    }
    if (options.json === true) printJson({ run: chosen, dropped: names, dry_run: options.dryRun === true });
    else if (names.length === 0) note(`restore ${chosen} has left nothing behind`);
    else for (const name of names) print(`${options.dryRun === true ? 'would drop' : 'dropped'} ${name}`);
  } finally {
    journal.close();
  }
}

async function leftBy(
  journal: Journal,
  ended: boolean,
): Promise<readonly { readonly target: Target; readonly database: string }[]> {
  const found = [];
  for (const target of DATABASE_NAMES.map(targetOf)) {
    if (target.url === '') continue;
    const name = databaseOf(target.url);
    const database = ended ? keptOf(name, journal.run) : copyOf(name, journal.run);
    if ((await onServer(target, (server) => findDatabase(server, database))) !== undefined)
      found.push({ target, database });
  }
  return found;
}
