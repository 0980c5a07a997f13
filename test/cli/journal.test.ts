import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { beginRun, continueRun, listRuns, readRun } from '../../cli/journal.ts';
import { linuxProcesses } from '../../shared/adapters/node/processes.ts';

const processes = linuxProcesses();
const NOW = new Date('2026-01-31T09:30:00Z');

describe('the journal of a run', () => {
  let folder: string;
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'sallyport-journal-')), 'backups');
  });
  afterEach(() => {
    rmSync(join(folder, '..'), { recursive: true });
  });
  const place = () => ({ folder, kind: 'import', processes });

  it.skipIf(!existsSync('/proc/self'))(
    'says that a folder cannot be made, below one that takes none too',
    () => {
      const nowhere = { folder: '/proc/none/backups', kind: 'import', processes };
      expect(() => beginRun(nowhere, NOW)).toThrow(/cannot write \/proc\/none\/backups/);
    },
  );

  it('is readable by its owner alone, and named by the second', () => {
    const journal = beginRun(place(), NOW);
    journal.log('said');
    journal.close();
    expect(journal.run).toBe('20260131093000');
    const modes = [
      folder,
      journal.folder,
      join(journal.folder, 'journal.jsonl'),
      join(journal.folder, 'output.log'),
    ].map((path) => (statSync(path).mode & 0o777).toString(8));
    expect(modes).toEqual(['700', '700', '600', '600']);
  });

  it('has a name of its own when two begin within a second', () => {
    const runs = [1, 2].map(() => {
      const journal = beginRun(place(), NOW);
      journal.record('run', 'begun');
      journal.close();
      return journal.run;
    });
    expect(runs).toEqual(['20260131093000', '20260131093001']);
    expect(listRuns(place())).toEqual(runs);
  });

  it('holds what was recorded, without a last line that a kill has cut off, which is gone once another is written', () => {
    const journal = beginRun(place(), NOW);
    journal.record('backup', 'done', { file: 'x' });
    journal.close();
    const file = join(journal.folder, 'journal.jsonl');
    appendFileSync(file, '{"at":"2026-01-31T09:30:01Z","step":"rest');
    expect(readRun(place(), journal.run)).toHaveLength(1);
    const again = continueRun(place(), journal.run);
    expect(again.find('backup', 'done')).toEqual({ file: 'x' });
    again.record('restore', 'begun');
    again.close();
    expect(
      readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { step: string }).step),
    ).toEqual(['backup', 'restore']);
  });

  it('is one process at a time: another is refused with the file of the lock, until the first has closed or died', async () => {
    const journal = beginRun(place(), NOW);
    expect(() => beginRun(place(), NOW)).toThrow(/another import is under way \(.*\.import\.lock\.1\)/);
    expect(() => {
      beginRun({ ...place(), kind: 'backup' }, NOW).close();
    }).not.toThrow();
    journal.close();
    const next = beginRun(place(), NOW);
    next.close();
    // The mark of a process that is gone.
    const child = spawn(process.execPath, ['-e', '']);
    const mark = processes.mark(child.pid!);
    await once(child, 'exit');
    const [newest] = readdirSync(folder)
      .filter((name) => name.startsWith('.import.lock.'))
      .sort()
      .reverse();
    writeFileSync(join(folder, newest!), mark ?? 'released');
    expect(() => {
      beginRun(place(), NOW).close();
    }).not.toThrow();
  });

  it('ends the children that a killed process has left, and no other process', async () => {
    const child = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
    const stranger = spawn('sleep', ['600'], { stdio: 'ignore' });
    const journal = beginRun(place(), NOW);
    journal.onStart(child.pid!);
    journal.record('child', 'child', { mark: processes.mark(stranger.pid!)?.replace(/\d+$/, '1') });
    journal.close();
    const gone = once(child, 'exit');
    continueRun(place(), journal.run).close();
    expect(await gone).toEqual([null, 'SIGKILL']);
    expect(stranger.exitCode).toBe(null);
    stranger.kill();
  });

  it('refuses a run that there is not, and a line that is none', () => {
    expect(() => continueRun(place(), '20260131093000')).toThrow(/there is no import 20260131093000/);
    const journal = beginRun(place(), NOW);
    journal.close();
    writeFileSync(join(journal.folder, 'journal.jsonl'), '{"step":1}\n');
    expect(() => continueRun(place(), journal.run)).toThrow(/line 1: this is no record of a step/);
    expect(() => {
      beginRun(place(), NOW).close();
    }).not.toThrow();
  });
});
