import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Processes } from '../shared/ports/runtime.ts';
import { systemCode } from '../shared/system-errors.ts';

/** Held while a process is at work in a folder. */
export interface FolderLock {
  release(): void;
}

interface Holder {
  readonly number: number;
  /** Empty: released, or not written yet. */
  readonly mark: string;
}

const BEAT_MS = 5_000;
/** Only for a holder on another machine, in another container or of an earlier boot, of whom no mark proves anything. */
const SILENT_MS = 120_000;
const RELEASED = 'released';

/**
 * Takes the lock `name` of a folder; returns the file of its holder when it is held. It dies with its process: by the process's
 * mark, and where a mark proves nothing, when it was silent for two minutes.
 *
 * Holders are numbered files, and the newest one counts. A lock is taken by making the next number, which the system lets one
 * process do; the newest file is never removed, so whoever was overtaken before finds that out by looking again.
 */
export function lockFolder(folder: string, name: string, processes: Processes): FolderLock | string {
  makeFolder(folder);
  const fileOf = (number: number): string => join(folder, `.${name}.lock.${number}`);
  const newest = holders(folder, name).at(-1) ?? { number: 0, mark: RELEASED };
  if (!isFree(newest, fileOf(newest.number), processes)) return fileOf(newest.number);
  const number = newest.number + 1;
  const file = fileOf(number);
  const mark = processes.own ?? `pid ${process.pid}`;
  try {
    writeFileSync(file, mark, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return file;
    throw error;
  }
  const all = holders(folder, name);
  const last = all.at(-1)?.number ?? number;
  if (last > number) {
    rmSync(file, { force: true });
    return fileOf(last);
  }
  for (const { number: old } of all) if (old < number) rmSync(fileOf(old), { force: true });
  const beat = setInterval(() => {
    touch(file);
  }, BEAT_MS);
  beat.unref();
  return {
    release() {
      clearInterval(beat);
      overwrite(file, RELEASED.padEnd(mark.length));
    },
  };
}

/** With those above it, for its owner alone. Node's own `recursive` never ends below a file system that takes no folder, as /proc. */
export function makeFolder(folder: string): void {
  const path = resolve(folder);
  if (existsSync(path)) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
}

/** By number. */
function holders(folder: string, name: string): Holder[] {
  const prefix = `.${name}.lock.`;
  return readdirSync(folder)
    .filter((file) => file.startsWith(prefix) && /^\d+$/.test(file.slice(prefix.length)))
    .map((file) => ({ number: Number(file.slice(prefix.length)), mark: read(join(folder, file)) }))
    .sort((one, other) => one.number - other.number);
}

/** A file that is gone was overtaken. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

function isFree({ number, mark }: Holder, file: string, processes: Processes): boolean {
  if (number === 0 || mark === RELEASED || processes.isDead(mark)) return true;
  const here = processes.own?.split(' ').slice(0, 2).join(' ');
  if (here !== undefined && mark.startsWith(`${here} `)) return false;
  return silentMs(file) > SILENT_MS;
}

function silentMs(file: string): number {
  try {
    return Date.now() - statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}

/** In place: a full disk has room for it. */
function overwrite(file: string, text: string): void {
  try {
    const handle = openSync(file, 'r+');
    writeSync(handle, text);
    closeSync(handle);
  } catch {
    // Whoever comes next sees by the mark that this process is gone.
  }
}

function touch(file: string): void {
  const now = new Date();
  try {
    utimesSync(file, now, now);
  } catch {
    // A disk that is away for a moment ends no run.
  }
}
