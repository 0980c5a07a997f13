import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { openTuples } from '../deps.ts';
import { Failure } from '../failure.ts';
import { progressBar } from '../progress.ts';
import { note, printJson } from '../terminal.ts';
import { checkpointBeside } from './checkpoint.ts';
import { orFailure, storeSettings } from './connect.ts';
import { exportTo, exportToFile } from './export.ts';
import { importLines } from './import.ts';

export interface ExportCommand {
  readonly resume?: boolean;
  readonly json?: boolean;
}

export interface ImportCommand extends ExportCommand {
  readonly dryRun?: boolean;
}

const State = z.object({ lines: z.number().int().min(0) });

export async function runExport(file: string | undefined, options: ExportCommand): Promise<void> {
  const tuples = openTuples(storeSettings());
  const bar = progressBar('exporting');
  const onProgress = (count: number): void => {
    bar.update(count);
  };
  if (file === undefined || file === '-') {
    if (options.resume === true) throw new Failure('--resume needs a file');
    const count = await orFailure(exportTo(tuples, toStdout, onProgress)).finally(() => {
      bar.end();
    });
    note(`${count} tuples`);
    return;
  }
  const work = exportToFile(tuples, file, { resume: options.resume === true, onProgress });
  const count = await orFailure(work).finally(() => {
    bar.end();
  });
  if (options.json === true) printJson({ file, tuples: count });
  else note(`${count} tuples in ${file}`);
}

async function toStdout(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

export async function runImport(file: string, options: ImportCommand): Promise<void> {
  const tuples = openTuples(storeSettings());
  const dryRun = options.dryRun === true;
  const checkpoint = file === '-' ? undefined : checkpointBeside(file, State);
  const from = options.resume === true ? await checkpoint?.load() : undefined;
  if (options.resume === true && from === undefined)
    throw new Failure(`there is no cut-off import of ${file} to resume`);
  const bar = progressBar(dryRun ? 'reading' : 'importing');
  const onDone = async (lines: number): Promise<void> => {
    bar.update(lines);
    if (!dryRun) await checkpoint?.save({ lines });
  };
  const work = importLines(tuples, linesOf(file), { skip: from?.lines ?? 0, dryRun, onDone });
  const lines = await orFailure(work).finally(() => {
    bar.end();
  });
  if (!dryRun) await checkpoint?.remove();
  if (options.json === true) printJson({ file, lines, dry_run: dryRun });
  else note(dryRun ? `${lines} lines can be read, nothing was written` : `${lines} lines written`);
}

async function* linesOf(file: string): AsyncGenerator<string> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  try {
    yield* createInterface({ input, crlfDelay: Infinity });
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if (why.startsWith('E')) throw new Failure(`cannot read ${file} (${why})`, { cause: error });
    throw error;
  }
}
