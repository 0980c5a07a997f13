import { chmod, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../shared/system-errors.ts';
import { openModels, openStores, openTuples } from '../deps.ts';
import { Failure } from '../failure.ts';
import { orFailure } from '../fga/connect.ts';
import { importLines } from '../fga/import.ts';
import { exportTo } from '../fga/export.ts';
import type { Journal } from '../journal.ts';
import { interruption, note } from '../terminal.ts';
import { dropDatabase } from '../zitadel/import/server.ts';
import { sql } from '../../shared/ports/database.ts';
import { checkText, openRelations } from './contents.ts';
import { inDatabase, withTarget } from './database.ts';
import type { Seal } from './file.ts';
import type { Backup } from './layout.ts';
import { onServer, rebuild } from './rebuild.ts';
import { copyOf, type RestorePlan } from './restore-plan.ts';

export interface Restoring {
  readonly backup: Backup;
  readonly seal: Seal | null;
  readonly plan: RestorePlan;
  readonly journal: Journal;
  /** Milliseconds, for sessions to end. */
  readonly waitMs: number;
}

/** Runs a step once, whatever process began it. */
export async function once(
  { journal }: Pick<Restoring, 'journal'>,
  step: string,
  work: () => Promise<Readonly<Record<string, unknown>>>,
): Promise<Readonly<Record<string, unknown>>> {
  const before = journal.find(step, 'done');
  if (before !== undefined) return before;
  interruption().throwIfAborted();
  journal.record(step, 'begun');
  const facts = await work();
  journal.record(step, 'done', facts);
  return facts;
}

/** Restores every database beside the one it replaces, which serves on. */
export async function restoreBeside(restoring: Restoring): Promise<void> {
  const { plan, journal, backup, seal } = restoring;
  for (const { part, target, database, owner } of plan.databases)
    await once(restoring, `restore ${part.name}`, async () => {
      const copy = copyOf(database, journal.run);
      note(`restoring: ${part.name} into ${copy}`);
      await onServer(target, (server) => dropDatabase(server, copy));
      const { log, onStart } = journal;
      await rebuild({ target, part, folder: backup.folder, seal, database: copy, owner, log, onStart });
      // A dump has no statistics: without them the first queries would read whole tables.
      await withTarget(inDatabase(target, copy), (session) => session.execute(sql`analyze`));
      return { copy };
    });
}

/** Writes model and tuples into a new store; the one in use stays as it is. Returns the new store's id. */
export async function restoreRelations(restoring: Restoring): Promise<string | null> {
  const { plan, journal, backup, seal } = restoring;
  if (plan.relations === null) return null;
  const { part, settings } = plan.relations;
  const { store } = await once(restoring, 'make store', async () => ({
    store: await orFailure(openStores(settings).create(`restored-${journal.run}`)),
  }));
  const storeId = String(store);
  await once(restoring, 'restore tuples', async () => {
    note(`restoring: ${part.tuples} tuples into store ${storeId}`);
    const { model, lines } = await openRelations(backup.folder, part, seal);
    const config = { url: settings.url, apiToken: settings.apiToken, storeId, modelId: null };
    const modelId = await orFailure(openModels(config).write(model));
    const tuples = openTuples({ ...config, modelId });
    await importLines(tuples, lines, { from: undefined, dryRun: false, onWritten: () => Promise.resolve() });
    const found = await orFailure(
      exportTo(
        tuples,
        () => Promise.resolve(),
        () => undefined,
      ),
    );
    if (found !== part.tuples)
      throw new Failure(`store ${storeId} has ${found} tuples, and the backup ${part.tuples}`);
    return { store: storeId, model: modelId };
  });
  return storeId;
}

export interface TextOutcome {
  readonly name: string;
  readonly file: string;
  /** False: its place cannot be written, so that it has to be put there by hand. */
  readonly placed: boolean;
}

/** Each text in its place; one whose place cannot be written stays in the folder of the run. */
export async function restoreTexts({
  plan,
  backup,
  seal,
  journal,
}: Restoring): Promise<readonly TextOutcome[]> {
  const outcomes: TextOutcome[] = [];
  for (const { part, text } of plan.texts) {
    const content = await checkText(backup.folder, part, seal);
    const aside = join(journal.folder, `${part.name}.json`);
    if (text.source.kind === 'file' && (await placed(text.source.path, content)))
      outcomes.push({ name: part.name, file: text.source.path, placed: true });
    else {
      await writeFile(aside, content, { mode: 0o600 });
      outcomes.push({ name: part.name, file: aside, placed: false });
    }
  }
  return outcomes;
}

/** Replaces a file at once, with the mode that it had. False: the system does not allow it. */
async function placed(file: string, content: string): Promise<boolean> {
  try {
    if ((await readFile(file, 'utf8').catch(() => undefined)) === content) return true;
    const mode = await stat(file).then(
      (found) => found.mode,
      () => 0o644,
    );
    await writeFile(`${file}.restored`, content);
    await chmod(`${file}.restored`, mode & 0o777);
    await rename(`${file}.restored`, file);
    return true;
  } catch (error) {
    await rm(`${file}.restored`, { force: true }).catch(() => undefined);
    if (['EROFS', 'EACCES', 'EPERM', 'ENOENT', 'EBUSY'].includes(systemCode(error) ?? '')) return false;
    throw error;
  }
}
