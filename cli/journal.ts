import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import type { ProcessGroups, Processes } from '../shared/ports/runtime.ts';
import { systemCode, systemFault } from '../shared/system-errors.ts';
import { Failure } from './failure.ts';
import { lockFolder, type FolderLock } from './folder-lock.ts';

/** Of one step: its state, and what whoever goes on needs to know. */
const Entry = z.object({
  at: z.string(),
  step: z.string(),
  state: z.enum(['begun', 'done', 'child', 'note']),
  facts: z.record(z.string(), z.unknown()).default({}),
});
export type Entry = z.output<typeof Entry>;
export type EntryState = Entry['state'];

export interface JournalPlace {
  /** BACKUP_DIR: made with mode 0700 where it is missing. */
  readonly folder: string;
  /** As in `import`: begins the names of its runs' folders. Of each kind one process is at work at a time. */
  readonly kind: string;
  readonly processes: Processes & ProcessGroups;
}

/** The record of one run, in a folder of its own. What is recorded is on the disk before the call returns. */
export interface Journal {
  /** Fourteen digits: UTC to the second. */
  readonly run: string;
  /** Absolute; mode 0700. Files of the run go here. */
  readonly folder: string;
  readonly entries: readonly Entry[];
  record(step: string, state: EntryState, facts?: Readonly<Record<string, unknown>>): void;
  /** The newest facts of a step in this state; undefined: it never was. */
  find(step: string, state: EntryState): Entry['facts'] | undefined;
  /** Output of children, in a file beside. */
  readonly log: (line: string) => void;
  /** For `ChildCall.onStart`: a child that outlives a kill is found, and ended, by whoever goes on. */
  readonly onStart: (pid: number) => void;
  close(): void;
}

const FILE = 'journal.jsonl';
const OUTPUT = 'output.log';
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/** Begins a run. Throws Failure while another process is at work, and when nothing can be written. */
export function beginRun(place: JournalPlace, now: Date): Journal {
  const lock = lockOrFail(place);
  return orRelease(lock, () => {
    const root = resolve(place.folder);
    for (let at = now.getTime(); ; at += 1_000) {
      const run = nameOf(new Date(at));
      const folder = join(root, `${place.kind}-${run}`);
      try {
        mkdirSync(folder, { mode: FOLDER_MODE });
      } catch (error) {
        if (systemCode(error) === 'EEXIST') continue;
        throw error;
      }
      const journal = open(place, run, folder, lock);
      syncFolder(root);
      return journal;
    }
  });
}

/** Goes on with a run, and ends the children that a killed process left. Throws Failure as `beginRun` does, or for no such run. */
export function continueRun(place: JournalPlace, run: string): Journal {
  const lock = lockOrFail(place);
  return orRelease(lock, () => {
    const folder = join(resolve(place.folder), `${place.kind}-${run}`);
    if (!existsSync(join(folder, FILE)))
      throw new Failure(`there is no ${place.kind} ${run} in ${resolve(place.folder)}`);
    const journal = open(place, run, folder, lock);
    endChildren(journal.entries, place.processes);
    return journal;
  });
}

/** Names of the runs of a kind, the newest last. */
export function listRuns({ folder, kind }: Pick<JournalPlace, 'folder' | 'kind'>): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.startsWith(`${kind}-`) && existsSync(join(folder, name, FILE)))
    .map((name) => name.slice(kind.length + 1))
    .sort();
}

/** What a run has recorded, without taking its lock. */
export function readRun(
  { folder, kind }: Pick<JournalPlace, 'folder' | 'kind'>,
  run: string,
): readonly Entry[] {
  const file = join(folder, `${kind}-${run}`, FILE);
  return entriesIn(file, readFileSync(file, 'utf8'));
}

function lockOrFail(place: JournalPlace): FolderLock {
  const root = resolve(place.folder);
  const lock = orUnwritable(root, () => lockFolder(root, place.kind, place.processes));
  if (typeof lock !== 'string') return lock;
  throw new Failure(
    `another ${place.kind} is under way (${lock}): wait for it. Where its process is gone for certain, remove that file`,
  );
}

function orRelease(lock: FolderLock, work: () => Journal): Journal {
  try {
    return work();
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** 20261128T163012Z without its letters: also part of names of databases. */
function nameOf(date: Date): string {
  return date.toISOString().replaceAll(/\D/g, '').slice(0, 14);
}

function open(place: JournalPlace, run: string, folder: string, lock: FolderLock): Journal {
  const file = join(folder, FILE);
  return orUnwritable(file, () => {
    chmodSync(folder, FOLDER_MODE);
    const handle = openSync(file, 'a', FILE_MODE);
    const text = readFileSync(file, 'utf8');
    const entries = entriesIn(file, text);
    // Without a last line that a kill has cut off.
    let size = Buffer.byteLength(wholeLines(text));
    ftruncateSync(handle, size);
    const output = openSync(join(folder, OUTPUT), 'a', FILE_MODE);
    syncFolder(folder);
    const record: Journal['record'] = (step, state, facts = {}) => {
      const entry = { at: new Date().toISOString(), step, state, facts };
      const line = Buffer.from(`${JSON.stringify(entry)}\n`);
      orUnwritable(file, () => {
        append(handle, line, size);
      });
      size += line.length;
      entries.push(entry);
    };
    return {
      run,
      folder,
      entries,
      record,
      find: (step, state) => entries.findLast((each) => each.step === step && each.state === state)?.facts,
      log: (line) => {
        try {
          writeSync(output, `${line}\n`);
        } catch {
          // A full disk: what failed says so itself, with its last lines.
        }
      },
      onStart: (pid) => {
        record('child', 'child', { mark: place.processes.mark(pid) });
      },
      close() {
        closeSync(handle);
        closeSync(output);
        lock.release();
      },
    };
  });
}

/** On the disk when it returns; nothing of it when it throws. */
function append(handle: number, line: Buffer, size: number): void {
  try {
    for (let written = 0; written < line.length;) written += writeSync(handle, line, written);
    fsyncSync(handle);
  } catch (error) {
    ftruncateSync(handle, size);
    throw error;
  }
}

function wholeLines(text: string): string {
  return text.slice(0, text.lastIndexOf('\n') + 1);
}

function entriesIn(file: string, text: string): Entry[] {
  return wholeLines(text)
    .split('\n')
    .flatMap((line, at) => (line === '' ? [] : [entryOf(file, line, at)]));
}

function entryOf(file: string, line: string, at: number): Entry {
  try {
    return Entry.parse(JSON.parse(line));
  } catch (error) {
    throw new Failure(`${file}, line ${at + 1}: this is no record of a step`, { cause: error });
  }
}

function endChildren(entries: readonly Entry[], processes: ProcessGroups): void {
  for (const { state, facts } of entries) {
    const mark = facts['mark'];
    if (state !== 'child' || typeof mark !== 'string') continue;
    processes.endGroup(mark);
  }
}

/** So that a file that was just made is there after a loss of power. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function orUnwritable<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const why = systemFault(error);
    throw why === undefined ? error : new Failure(`cannot write ${file}: ${why}`, { cause: error });
  }
}
