import { OPERATIONS } from '../../shared/configuration/operations.ts';
import { confirmed } from '../confirm.ts';
import { databaseOf } from '../children/postgres.ts';
import { Failure } from '../failure.ts';
import { continueRun, listRuns, type Journal } from '../journal.ts';
import { note, print, printJson } from '../terminal.ts';
import { configured } from '../variables.ts';
import { dropDatabase, findDatabase } from '../zitadel/import/server.ts';
import type { Target } from './database.ts';
import { DATABASE_NAMES } from './layout.ts';
import { onServer } from './rebuild.ts';
import { copyOf, keptOf } from './restore-plan.ts';
import { ENDED, restorePlace, RUN, TAKEN_BACK } from './restore-run.ts';
import { swapBack, type Swapped } from './restore-swap.ts';
import { targetOf } from './sources.ts';

export interface FinishCommand {
  /** Seconds. */
  readonly wait: number;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/**
 * Removes what a restore has kept: the replaced databases after one that ended. One that was cut off is taken back: databases that have
 * changed places already do so again, and what was restored is removed. Throws Failure.
 */
export async function runFinish(run: string | undefined, options: FinishCommand): Promise<void> {
  const { backupDir } = configured(OPERATIONS);
  const place = restorePlace(backupDir);
  const chosen = run ?? listRuns(place).at(-1);
  if (chosen === undefined) throw new Failure(`there is no restore in ${backupDir}`);
  const journal = continueRun(place, chosen);
  try {
    const left = await leftBy(journal);
    if (options.dryRun !== true) {
      if (left.dropped.length > 0) await confirmed(question(left), options.yes);
      await take(left, journal, options.wait * 1_000);
    }
    report(left, chosen, options);
  } finally {
    journal.close();
  }
}

interface Left {
  /** What has changed places in a run that did not end. */
  readonly swapped: readonly Swapped[];
  readonly dropped: readonly { readonly target: Target; readonly database: string }[];
}

/** By the databases that are there, whatever was recorded last. */
async function leftBy(journal: Journal): Promise<Left> {
  const ended = journal.find(ENDED, 'done') !== undefined;
  const swapped: Swapped[] = [];
  const dropped: { target: Target; database: string }[] = [];
  for (const target of DATABASE_NAMES.map(targetOf)) {
    if (target.url === '') continue;
    const database = databaseOf(target.url);
    const names = { copy: copyOf(database, journal.run), kept: keptOf(database, journal.run) };
    const [copy, kept, present] = await onServer(target, async (server) => [
      await findDatabase(server, names.copy),
      await findDatabase(server, names.kept),
      await findDatabase(server, database),
    ]);
    if (ended) {
      if (kept !== undefined) dropped.push({ target, database: names.kept });
      continue;
    }
    // Without a copy it has its place, where one was restored. Where there was nothing to replace, nothing is kept.
    const isSwapped =
      copy === undefined &&
      (kept !== undefined ||
        (present !== undefined && isRestored(journal, target) && hadNone(journal, target)));
    if (isSwapped) swapped.push({ target, database, replaced: kept !== undefined });
    if (isSwapped || copy !== undefined) dropped.push({ target, database: names.copy });
  }
  return { swapped, dropped };
}

function isRestored(journal: Journal, { name }: Target): boolean {
  return journal.find(`restore ${name}`, 'done') !== undefined;
}

/** Whether there was no database to replace when the run began. */
function hadNone(journal: Journal, { name }: Target): boolean {
  const oids = (journal.find(RUN, 'begun')?.['oids'] ?? {}) as Readonly<Record<string, number | null>>;
  return oids[name] === null;
}

function question({ swapped, dropped }: Left): { readonly what: string; readonly name: string } {
  const names = dropped.map(({ database }) => database).join(',');
  if (swapped.length === 0) return { what: `this drops ${names}`, name: names };
  const back = swapped.map(({ database }) => database).join(',');
  return { what: `this puts the former ${back} back, and drops ${names}`, name: back };
}

async function take({ swapped, dropped }: Left, journal: Journal, waitMs: number): Promise<void> {
  const ended = journal.find(ENDED, 'done') !== undefined;
  if (!ended) journal.record(TAKEN_BACK, 'begun');
  await swapBack(swapped, journal.run, waitMs);
  for (const { target, database } of dropped)
    await onServer(target, (server) => dropDatabase(server, database));
  if (!ended) journal.record(ENDED, 'done', { taken_back: true });
}

const NEXT = 'sallyport doctor';

function report({ swapped, dropped }: Left, run: string, { json, dryRun = false }: FinishCommand): void {
  const names = dropped.map(({ database }) => database);
  const back = swapped.map(({ database }) => database);
  const left = dryRun && names.length + back.length > 0;
  const next = left ? 'the same without --dry-run' : NEXT;
  if (json === true) {
    printJson({ run, put_back: back, dropped: names, dry_run: dryRun, next });
    return;
  }
  if (names.length === 0) note(`restore ${run} has left nothing behind`);
  for (const name of back) print(dryRun ? `would put the former ${name} back` : `the former ${name} is back`);
  for (const name of names) print(dryRun ? `would drop ${name}` : `dropped ${name}`);
  note(`${left ? 'nothing was changed. ' : ''}next: ${next}`);
}
