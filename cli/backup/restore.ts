import { OPERATIONS } from '../../shared/configuration/operations.ts';
import { confirmed } from '../confirm.ts';
import { Failure } from '../failure.ts';
import { beginRun, continueRun, type Journal, type JournalPlace } from '../journal.ts';
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
import {
  assertOfRun,
  cutOffRestore,
  ENDED,
  folderOfRun,
  goesOnBy,
  restorePlace,
  RUN,
  type Begun,
  type CutOff,
} from './restore-run.ts';
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

/** Puts a backup in the place of what is there, which is kept. Throws Failure; what is there serves on until the swap. */
export async function runRestore(named: string, options: RestoreCommand): Promise<void> {
  const { backupDir } = configured(OPERATIONS);
  const place = restorePlace(backupDir);
  const cutOff = cutOffRestore(place);
  if (cutOff === undefined && options.resume === true)
    throw new Failure('no restore was cut off: there is nothing to go on with');
  if (cutOff !== undefined && options.resume !== true) {
    // Refused by its lock where it is still under way.
    continueRun(place, cutOff.run).close();
    throw new Failure(`restore ${cutOff.run} was cut off: ${goesOnBy(cutOff)}`);
  }
  const folder = cutOff ? folderOfRun(named, cutOff, backupDir) : backupFolder(named, backupDir);
  const backup = await readBackup(folder);
  if (cutOff !== undefined) assertOfRun(backup, cutOff);
  const ground = { backup, seal: await openSeal(backup, options.key), options, backupDir };
  await checkFiles(backup);
  await (cutOff === undefined ? begin(ground, place) : goOn(ground, place, cutOff));
}

async function begin(ground: Omit<Ground, 'journal'>, place: JournalPlace): Promise<void> {
  const { backup, options } = ground;
  const plan = await planRestore(backup, options.only);
  await preflight(plan);
  reportPlan(backup, plan, options);
  if (options.dryRun === true) return;
  await confirmed({ what: `this replaces ${replacedBy(plan)}`, name: nameOf(plan, backup) }, options.yes);
  const journal = beginRun(place, new Date());
  const begun: Begun = {
    backup: backup.manifest.id,
    folder: backup.folder,
    parts: [...partsOf(plan)],
    oids: Object.fromEntries(plan.databases.map(({ part, replaces }) => [part.name, replaces?.oid ?? null])),
  };
  journal.record(RUN, 'begun', begun);
  await finishing({ ...ground, journal }, () => Promise.resolve(plan));
}

async function goOn(
  ground: Omit<Ground, 'journal'>,
  place: JournalPlace,
  { run, begun }: CutOff,
): Promise<void> {
  const { backup, options } = ground;
  if (options.dryRun !== true) {
    const journal = continueRun(place, run);
    await finishing({ ...ground, journal }, () => planned(backup, begun));
  } else if (options.json === true) printJson({ dry_run: true, backup: backup.manifest.id, run });
  else note(`restore ${run} would go on where it stopped; nothing was changed`);
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

/** The plan that a run was begun with: the databases that it replaces are those of then. */
async function planned(backup: Backup, { parts, oids }: Begun): Promise<RestorePlan> {
  const plan = await planRestore(backup, parts);
  const databases = plan.databases.map((each) => {
    const oid = oids[each.part.name] ?? null;
    return { ...each, replaces: oid === null ? null : { oid } };
  });
  return { ...plan, databases };
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
  const next = 'the same without --dry-run';
  if (dryRun === true && json === true) {
    printJson({ dry_run: true, backup: manifest.id, parts: partsOf(plan), plan: lines, next });
    return;
  }
  // With --dry-run the plan is the result: stdout. Otherwise it precedes the confirmation: stderr.
  for (const line of lines) (dryRun === true ? print : note)(line);
  if (dryRun === true) note(`nothing was changed. next: ${next}`);
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
