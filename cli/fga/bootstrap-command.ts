import { openStores } from '../deps.ts';
import { Failure } from '../failure.ts';
import { note, print, printJson } from '../terminal.ts';
import { bootstrap, survey, type Bootstrapped, type Wanted } from './bootstrap.ts';
import { openFgaSettings, orFailure, type OpenFgaSettings } from './connect.ts';
import { readModel } from './model-file.ts';

export interface BootstrapCommand {
  readonly storeName: string;
  readonly model: string;
  readonly check?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Brings store and model to what the file says; with `check`, fails when they are not. */
export async function runBootstrap(options: BootstrapCommand): Promise<void> {
  const settings = openFgaSettings();
  const wanted = {
    storeName: options.storeName,
    storeId: settings.storeId,
    model: await readModel(options.model),
  };
  const stores = openStores(settings);
  if (options.check !== true && options.dryRun !== true) {
    tell(await orFailure(bootstrap(stores, wanted)), options, settings, wanted);
    return;
  }
  const { storeId, modelId, drift: found } = await orFailure(survey(stores, wanted));
  // No bootstrap mends a pin, so it is nothing that a dry run could announce.
  const drift = options.check === true ? [...found, ...otherPin(modelId, options, settings)] : found;
  if (storeId === undefined || modelId === undefined || drift.length > 0) {
    if (options.json === true) printJson({ ok: false, drift });
    else for (const line of drift) note(line);
    if (options.check === true) throw new Failure('');
    return;
  }
  tell({ storeId, modelId, madeStore: false, wroteModel: false }, options, settings, wanted);
}

/** The gateway asks by the model that is pinned, whatever the store holds since. */
function otherPin(
  modelId: string | undefined,
  { model }: BootstrapCommand,
  { modelId: pinned }: OpenFgaSettings,
): string[] {
  if (pinned === null || modelId === undefined || pinned === modelId) return [];
  return [`OPENFGA_MODEL_ID pins ${pinned}, but ${model} is ${modelId}: set it to that, or leave it out`];
}

function tell(
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
