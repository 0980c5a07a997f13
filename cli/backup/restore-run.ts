import * as z from 'zod';
import { processes } from '../deps.ts';
import { Failure } from '../failure.ts';
import { listRuns, readRun, type JournalPlace } from '../journal.ts';
import { backupFolder, PART_NAMES, type Backup } from './layout.ts';

/** Where the journals of restores are. */
export const restorePlace = (backupDir: string): JournalPlace => ({
  folder: backupDir,
  kind: 'restore',
  processes,
});

/** Begins a run: of which backup it is, and what it replaces. */
export const RUN = 'run';
/** Ends a run, whichever way. */
export const ENDED = 'ended';
/** From here on a run goes back, and on by `backup finish` alone. */
export const TAKEN_BACK = 'take back';

const Begun = z.object({
  backup: z.string(),
  /** Of the backup, wherever it is. */
  folder: z.string(),
  parts: z.array(z.enum(PART_NAMES)),
  /** Of the databases that are replaced, by part; null: there was none. */
  oids: z.record(z.string(), z.number().nullable()),
});
export type Begun = z.output<typeof Begun>;

export interface CutOff {
  readonly run: string;
  readonly begun: Begun;
}

/** The newest restore that did something and did not end. Throws Failure for one that is being taken back. */
export function cutOffRestore(place: JournalPlace): CutOff | undefined {
  const cutOff = unfinished(place).at(-1);
  if (cutOff !== undefined && readRun(place, cutOff.run).some(({ step }) => step === TAKEN_BACK))
    throw new Failure(
      `restore ${cutOff.run} is being taken back: \`sallyport backup finish ${cutOff.run}\` goes on`,
    );
  return cutOff;
}

function unfinished(place: JournalPlace): readonly CutOff[] {
  return listRuns(place).flatMap((run) => {
    const entries = readRun(place, run);
    const { data: begun } = Begun.safeParse(entries.find(({ step }) => step === RUN)?.facts);
    return begun === undefined || entries.some(({ step }) => step === ENDED) ? [] : [{ run, begun }];
  });
}

/** Ids of the backups that restores which did not end go on with. */
export function backupsInUse(backupDir: string): readonly string[] {
  return unfinished(restorePlace(backupDir)).map(({ begun }) => begun.backup);
}

export function goesOnBy({ run, begun: { backup } }: CutOff): string {
  return `\`sallyport backup restore ${backup} --resume\` goes on, \`sallyport backup finish ${run}\` takes it back`;
}

/** The folder of the backup that goes on: the one of the run for its id and for `latest`, since what was replaced is newer. */
export function folderOfRun(named: string, { begun }: CutOff, backupDir: string): string {
  return named === 'latest' || named === begun.backup ? begun.folder : backupFolder(named, backupDir);
}

/** Throws Failure for another backup than that of the run. */
export function assertOfRun({ manifest }: Backup, cutOff: CutOff): void {
  const { run, begun } = cutOff;
  if (begun.backup !== manifest.id)
    throw new Failure(
      `restore ${run} is of backup ${begun.backup}, and this is ${manifest.id}: ${goesOnBy(cutOff)}`,
    );
}
