import { once } from 'node:events';
import * as z from 'zod';
import { openTuples } from '../deps.ts';
import { Failure, UsageError } from '../failure.ts';
import { progressBar } from '../progress.ts';
import { note, printJson, write } from '../terminal.ts';
import { checkpointBeside } from './checkpoint.ts';
import { orFailure, storeSettings } from './connect.ts';
import { exportTo, exportToFile } from './export.ts';
import { importLines, type Written } from './import.ts';
import { assertReadable, linesOf } from './lines.ts';

export interface ExportCommand {
  readonly resume?: boolean;
  readonly json?: boolean;
}

export interface ImportCommand extends ExportCommand {
  readonly dryRun?: boolean;
}

const State = z.object({
  store: z.string(),
  lines: z.number().int().min(0),
  digest: z.string(),
});

export async function runExport(file: string | undefined, options: ExportCommand): Promise<void> {
  const toFile = file !== undefined && file !== '-';
  if (!toFile && options.resume === true) throw new UsageError('--resume needs a file');
  const settings = storeSettings();
  const tuples = openTuples(settings);
  const bar = progressBar('exporting');
  const onProgress = (count: number): void => {
    bar.update(count);
  };
  if (!toFile) {
    const count = await orFailure(exportTo(tuples, toStdout, onProgress)).finally(() => {
      bar.end();
    });
    note(`${count} tuples`);
    return;
  }
  const work = exportToFile(tuples, file, {
    store: settings.storeId,
    resume: options.resume === true,
    onProgress,
  });
  const count = await orFailure(work).finally(() => {
    bar.end();
  });
  if (options.json === true) printJson({ file, tuples: count });
  else note(`${count} tuples in ${file}`);
}

async function toStdout(text: string): Promise<void> {
  if (!write(text)) await once(process.stdout, 'drain');
}

export async function runImport(file: string, options: ImportCommand): Promise<void> {
  if (file === '-' && options.resume === true) throw new UsageError('--resume needs a file');
  const settings = storeSettings();
  const { storeId: store } = settings;
  const dryRun = options.dryRun === true;
  if (file !== '-') await assertReadable(file);
  const checkpoint = file === '-' ? undefined : checkpointBeside(file, State);
  const from = options.resume === true ? await checkpoint?.load() : undefined;
  if (options.resume === true && from === undefined)
    throw new Failure(`there is no cut-off import of ${file} to resume`);
  if (from !== undefined && from.store !== store)
    throw new Failure(
      `the cut-off import of ${file} is to store ${from.store}, and OPENFGA_STORE_ID is another`,
    );
  const bar = progressBar(dryRun ? 'reading' : 'importing');
  const onWritten = async (written: Written): Promise<void> => {
    bar.update(written.lines);
    if (!dryRun) await checkpoint?.save({ store, ...written });
  };
  const work = importLines(openTuples(settings), linesOf(file), { from, dryRun, onWritten });
  const lines = await orFailure(work).finally(() => {
    bar.end();
  });
  if (!dryRun) await checkpoint?.remove();
  if (options.json === true) printJson({ file, lines, dry_run: dryRun });
  else note(dryRun ? `${lines} lines can be read, nothing was written` : `${lines} lines written`);
}
