import * as z from 'zod';
import { openStores, openTuples } from '../deps.ts';
import { Failure, UsageError } from '../failure.ts';
import { note, print, printJson, progressBar, write } from '../terminal.ts';
import { bootstrap, survey, type Bootstrapped, type Wanted } from './bootstrap.ts';
import { openFgaSettings, orFailure, readModel, storeSettings, type OpenFgaSettings } from './connect.ts';
import { once } from 'node:events';
import { assertReadable, checkpointBeside, linesOf } from './lines.ts';
import { exportTo, exportToFile } from './export.ts';
import { importLines, type Written } from './import.ts';

export interface BootstrapCommand {
  readonly storeName: string;
  readonly model: string;
  readonly check?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Brings store and model to the state of the file; with `check`, fails when they differ. */
export async function runBootstrap(options: BootstrapCommand): Promise<void> {
  const settings = openFgaSettings();
  const wanted = {
    storeName: options.storeName,
    storeId: settings.storeId,
    model: await readModel(options.model),
  };
  const stores = openStores(settings);
  if (options.check !== true && options.dryRun !== true) {
    printResult(await orFailure(bootstrap(stores, wanted)), options, settings, wanted);
    return;
  }
  const { storeId, modelId, drift: found } = await orFailure(survey(stores, wanted));
  // Bootstrap cannot change a pin, so a dry run does not report it.
  const drift = options.check === true ? [...found, ...otherPin(modelId, options, settings)] : found;
  if (storeId === undefined || modelId === undefined || drift.length > 0) {
    if (options.json === true) printJson({ ok: false, drift });
    else for (const line of drift) note(line);
    if (options.check === true) throw new Failure('');
    return;
  }
  printResult({ storeId, modelId, madeStore: false, wroteModel: false }, options, settings, wanted);
}

/** The gateway checks by the pinned model, whatever the store holds since. */
function otherPin(
  modelId: string | undefined,
  { model }: BootstrapCommand,
  { modelId: pinned }: OpenFgaSettings,
): string[] {
  if (pinned === null || modelId === undefined || pinned === modelId) return [];
  return [`OPENFGA_MODEL_ID pins ${pinned}, but ${model} is ${modelId}: set it to that, or leave it out`];
}

function printResult(
  done: Bootstrapped,
  options: BootstrapCommand,
  settings: OpenFgaSettings,
  wanted: Wanted,
): void {
  for (const line of otherPin(done.modelId, options, settings)) note(line);
  if (options.json === true) {
    printJson({
      store_id: done.storeId,
      model_id: done.modelId,
      made_store: done.madeStore,
      wrote_model: done.wroteModel,
    });
    return;
  }
  if (done.madeStore) note(`made the store ${wanted.storeName}`);
  if (done.wroteModel) note(`wrote the model ${options.model}`);
  print(`OPENFGA_STORE_ID=${done.storeId}`);
  print(`OPENFGA_MODEL_ID=${done.modelId}`);
}

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
