import { OPERATIONS } from '../../shared/configuration/operations.ts';
import { confirmed } from '../confirm.ts';
import { processes } from '../deps.ts';
import { Failure } from '../failure.ts';
import { beginRun, continueRun, listRuns, readRun, type Journal, type JournalPlace } from '../journal.ts';
import { readPublicHalf } from '../sealed/keys.ts';
import { note, print, printJson } from '../terminal.ts';
import { configured } from '../variables.ts';
import { createBackup } from './create.ts';
import { shownOf } from './database.ts';
import type { Seal } from './file.ts';
import { backupFolder, readBackup, type Backup, type PartName } from './layout.ts';
import { checkFiles, openSeal } from './open.ts';
import { keptOf, planRestore, preflight, type RestorePlan } from './restore-plan.ts';
import {
  once,
  restoreBeside,
  restoreRelations,
  restoreTexts,
  type Restoring,
  type TextOutcome,
} from './restore-steps.ts';
import { swapAll } from './restore-swap.ts';
import { prove } from './verify.ts';

export interface RestoreCommand {
  /** A file with the private key. */
  readonly key?: string;
  readonly only?: readonly PartName[];
  readonly resume?: boolean;
  /** Seconds. */
  readonly wait: number;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Where the journals of restores are. */
export const restorePlace = (backupDir: string): JournalPlace => ({
  folder: backupDir,
  kind: 'restore',
  processes,
});

/** The step that ends a run, whichever way. */
export const ENDED = 'ended';
/** From here on a run goes back, and on by `backup finish` alone. */
export const TAKEN_BACK = 'take back';
export const RUN = 'run';

/** The newest run that did not end. */
export function unfinished(place: JournalPlace): string | undefined {
  return listRuns(place).findLast((run) => !readRun(place, run).some(({ step }) => step === ENDED));
}

/** Puts a backup in the place of what is there, which is kept. Throws Failure; what is there serves on until the swap. */
export async function runRestore(named: string, options: RestoreCommand): Promise<void> {
  const { backupDir } = configured(OPERATIONS);
  const backup = await readBackup(backupFolder(named, backupDir));
  const place = restorePlace(backupDir);
  const before = unfinished(place);
  if (before !== undefined && readRun(place, before).some(({ step }) => step === TAKEN_BACK))
    throw new Failure(`restore ${before} is being taken back: \`sallyport backup finish ${before}\` goes on`);
  if (before !== undefined && options.resume !== true)
    throw new Failure(
      `restore ${before} was cut off: \`sallyport backup restore ${backup.manifest.id} --resume\` goes on, \`sallyport backup finish ${before}\` takes it back`,
    );
  const seal = await openSeal(backup, options.key);
  await checkFiles(backup);
  if (before === undefined && options.resume === true)
    throw new Failure('no restore was cut off: there is nothing to go on with');
  if (before !== undefined && options.dryRun === true) {
    if (options.json === true) printJson({ dry_run: true, backup: backup.manifest.id, run: before });
    else note(`restore ${before} would go on where it stopped; nothing was changed`);
    return;
  }
  if (before !== undefined) {
    const journal = continueRun(place, before);
    await finishing({ journal, backup, seal, options, backupDir }, planned(journal, backup));
    return;
  }
  const plan = await planRestore(backup, options.only);
  await preflight(plan);
  reportPlan(backup, plan, options);
  if (options.dryRun === true) return;
  await confirmed({ what: `this replaces ${replacedBy(plan)}`, name: nameOf(plan, backup) }, options.yes);
  const journal = beginRun(place, new Date());
  journal.record(RUN, 'begun', {
    backup: backup.manifest.id,
    parts: partsOf(plan),
    oids: Object.fromEntries(plan.databases.map(({ part, replaces }) => [part.name, replaces?.oid ?? null])),
  });
  await finishing({ journal, backup, seal, options, backupDir }, () => Promise.resolve(plan));
}

const partsOf = ({ databases, relations, texts }: RestorePlan): readonly PartName[] => [
  ...databases.map(({ part }) => part.name),
  ...(relations === null ? [] : [relations.part.name]),
  ...texts.map(({ part }) => part.name),
];

const nameOf = ({ databases }: RestorePlan, { manifest }: Backup): string =>
  databases.length === 0 ? manifest.id : databases.map(({ database }) => database).join(',');

function replacedBy({ databases, texts }: RestorePlan): string {
  const names = [
    ...databases.map(({ target }) => shownOf(target)),
    ...texts.flatMap(({ text }) => (text.source.kind === 'file' ? [text.source.path] : [])),
  ];
  return names.length === 0 ? 'nothing' : names.join(', ');
}

/** The plan that a run was begun with: the databases that it replaces are those of then. Throws Failure for another backup. */
function planned(journal: Journal, backup: Backup): () => Promise<RestorePlan> {
  return async () => {
    const { backup: id, parts, oids } = journal.find(RUN, 'begun') ?? {};
    if (typeof id !== 'string') throw new Failure(`restore ${journal.run} ended before anything was done`);
    if (id !== backup.manifest.id)
      throw new Failure(`restore ${journal.run} is of backup ${id}, and this is ${backup.manifest.id}`);
    const plan = await planRestore(backup, parts as readonly PartName[]);
    const then = (oids ?? {}) as Readonly<Record<string, number | null>>;
    const databases = plan.databases.map((each) => {
      const oid = then[each.part.name] ?? null;
      return { ...each, replaces: oid === null ? null : { oid } };
    });
    return { ...plan, databases };
  };
}

interface Ground {
  readonly journal: Journal;
  readonly backup: Backup;
  readonly seal: Seal | null;
  readonly options: RestoreCommand;
  readonly backupDir: string;
}

async function finishing(ground: Ground, planOf: () => Promise<RestorePlan>): Promise<void> {
  const { journal, backup, seal, options } = ground;
  try {
    const plan = await planOf();
    const restoring: Restoring = { backup, seal, plan, journal, waitMs: options.wait * 1_000 };
    const { safety } = await once(restoring, 'back up', () => backUp(ground, plan));
    await restoreBeside(restoring);
    const store = await restoreRelations(restoring);
    await swapAll(restoring);
    const texts = await restoreTexts(restoring);
    journal.record(ENDED, 'done');
    report(ground, plan, { safety: typeof safety === 'string' ? safety : null, store, texts });
  } catch (error) {
    const left = `restore ${journal.run} stopped; each database is the former one or the restored one, whole. Go on: sallyport backup restore ${backup.manifest.id} --resume. Take it back: sallyport backup finish ${journal.run}`;
    if (error instanceof Failure) throw new Failure(`${error.message}\n${left}`, { cause: error });
    // Ctrl-C, whose error is not shown.
    note(left);
    throw error;
  } finally {
    journal.close();
  }
}

/** Backs up what is about to be replaced, and proves that. Encrypted to the same key as the backup. */
async function backUp(
  { journal, options, backupDir, seal }: Ground,
  { databases, texts }: RestorePlan,
): Promise<Readonly<Record<string, unknown>>> {
  const replaced = databases.filter(({ replaces }) => replaces !== null).map(({ target }) => target);
  if (replaced.length === 0) return { safety: null };
  note(`backing up what is replaced: ${replaced.map(({ name }) => name).join(', ')}`);
  const recipient = seal === null || options.key === undefined ? null : await readPublicHalf(options.key);
  const made = await createBackup(backupDir, {
    sources: { databases: replaced, relations: null, texts: texts.map(({ text }) => text), leftOut: [] },
    recipient,
    purpose: `before restore ${journal.run}`,
  });
  await prove(made.backup, made.seal, backupDir);
  return { safety: made.backup.manifest.id };
}

function reportPlan({ manifest }: Backup, plan: RestorePlan, { json, dryRun }: RestoreCommand): void {
  const lines = [
    ...plan.databases.map(
      ({ part, target, replaces }) =>
        `${part.name}: ${part.from} of ${manifest.at} -> ${shownOf(target)}${replaces === null ? ' (there is none yet)' : ', whose database is kept'}`,
    ),
    ...(plan.relations === null
      ? []
      : [`tuples: ${plan.relations.part.tuples} into a new store of ${plan.relations.settings.url}`]),
    ...plan.texts.map(
      ({ part, text }) => `${part.name}: ${text.source.kind === 'file' ? text.source.path : text.variable}`,
    ),
    ...plan.leftOut.map((name) => `${name}: left out`),
  ];
  if (dryRun === true && json === true) {
    printJson({ dry_run: true, backup: manifest.id, parts: partsOf(plan), plan: lines });
    return;
  }
  for (const line of lines) note(line);
  if (dryRun === true) note('nothing was changed; without --dry-run this is what a restore does');
}

interface Outcome {
  readonly safety: string | null;
  readonly store: string | null;
  readonly texts: readonly TextOutcome[];
}

function report(
  { journal, backup, options }: Ground,
  plan: RestorePlan,
  { safety, store, texts }: Outcome,
): void {
  const kept = plan.databases
    .filter(({ replaces }) => replaces !== null)
    .map(({ database }) => keptOf(database, journal.run));
  const next = [
    ...(store === null ? [] : [`set OPENFGA_STORE_ID=${store}, and take OPENFGA_MODEL_ID out`]),
    ...texts.filter(({ placed }) => !placed).map(({ name, file }) => `put ${file} where ${name} belongs`),
    'start what was stopped, then: sallyport doctor',
    ...(kept.length === 0
      ? []
      : [`when all is well, remove ${kept.join(', ')}: sallyport backup finish ${journal.run}`]),
    ...(safety === null ? [] : [`to go back to what was there: sallyport backup restore ${safety}`]),
  ];
  if (options.json === true) {
    printJson({
      run: journal.run,
      backup: backup.manifest.id,
      databases: plan.databases.map(({ part, database }) => ({ name: part.name, database })),
      kept,
      store,
      texts,
      safety,
      next,
    });
    return;
  }
  for (const { part, database } of plan.databases)
    print(`${part.name}: ${database} is that of ${backup.manifest.at}`);
  if (store !== null) print(`tuples: store ${store}`);
  for (const { name, file } of texts) print(`${name}: ${file}`);
  for (const line of next) note(`next: ${line}`);
}
