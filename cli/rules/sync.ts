import { changesNothing, compareRules, type Changes } from '../../functions/feature-sync/changes.ts';
import {
  planSync,
  syncFeatures,
  type Phase,
  type Plan,
  type SyncOutcome,
} from '../../functions/feature-sync/sync.ts';
import type { Widening } from '../../functions/feature-sync/widening.ts';
import { Failure } from '../failure.ts';
import { colors, note, print, printJson } from '../terminal.ts';
import { readBoth, type RulesOptions } from './source.ts';
import { withPlanDeps, withSyncDeps } from './sync-deps.ts';
import { previewRestore, restoreRun, type Restored } from '../../functions/feature-sync/restore.ts';

export interface SyncCommand extends RulesOptions {
  readonly dryRun?: boolean;
  readonly phase?: 'expand' | 'contract';
  readonly allowWidening?: boolean;
  readonly json?: boolean;
  /** Seconds. */
  readonly wait: number;
}

/** Prints what the change of rules means for features, from the files alone. */
export async function runDiff(options: RulesOptions & { readonly json?: boolean }): Promise<void> {
  const { previous, current } = await readBoth(options);
  const changes = compareRules(previous, current);
  if (options.json === true) printJson(changes);
  else for (const line of changeLines(changes)) print(line);
}

export async function runSync(options: SyncCommand): Promise<void> {
  const files = await readBoth(options);
  if (options.dryRun === true) {
    await preview(files, options);
    return;
  }
  const phase: Phase = options.phase ?? 'both';
  const request = { ...files, phase, allowWidening: options.allowWidening === true };
  const nothing = changesNothing(compareRules(files.previous, files.current));
  const outcome: SyncOutcome = nothing
    ? { kind: 'nothing' }
    : await withSyncDeps(options.wait * 1000, (deps) => syncFeatures(request, deps));
  if (options.json === true) printJson(toJson(outcome));
  else printOutcome(outcome);
  refuse(outcome);
}

async function preview(files: Awaited<ReturnType<typeof readBoth>>, options: SyncCommand): Promise<void> {
  const changes = compareRules(files.previous, files.current);
  if (changesNothing(changes)) {
    if (options.json === true) printJson({ outcome: 'nothing', dry_run: true });
    else for (const line of changeLines(changes)) print(line);
    return;
  }
  const { plan } = await withPlanDeps((deps) => planSync(changes, deps));
  if (options.json === true) printJson({ outcome: 'planned', dry_run: true, ...planJson(plan) });
  else for (const line of [...planLines(plan), 'nothing was changed']) print(line);
  if (plan.widening.length > 0 && options.allowWidening !== true) refuse({ kind: 'widening', plan });
}

function printOutcome(outcome: SyncOutcome): void {
  if (outcome.kind === 'nothing') print('no feature was renamed, split, merged or dropped: nothing to do');
  if (outcome.kind === 'already') print(`run ${outcome.runId} has done this already: nothing to do`);
  if ('plan' in outcome && outcome.plan !== undefined)
    for (const line of planLines(outcome.plan)) print(line);
  if (outcome.kind === 'expanded')
    print('expanded: after the new rules serve, run `sallyport rules sync --phase contract`');
  if (outcome.kind === 'done') {
    const { expected, missing, left } = outcome.verification;
    print(
      `${colors.green('done')}: ${expected - missing} of ${expected} tuples counted where they belong, ${left} left behind`,
    );
  }
  if (outcome.kind === 'expanded' || outcome.kind === 'done') print(`to undo: ${restoreLine(outcome.runId)}`);
}

function refuse(outcome: SyncOutcome): void {
  if (outcome.kind === 'widening') {
    note('somebody would gain access: nothing was changed; --allow-widening goes ahead');
    throw new Failure('');
  }
  if (outcome.kind !== 'done') return;
  const { missing, left, examples } = outcome.verification;
  if (missing + left === 0) return;
  for (const kind of ['missing', 'left'] as const)
    for (const { user, relation, object } of examples[kind]) note(`${kind}: ${user} ${relation} ${object}`);
  throw new Failure(
    `${missing} tuples are missing and ${left} are left: somebody else wrote meanwhile\n` +
      'write those that are missing, delete those that are left, then give the same command again: it counts again',
  );
}

/** What two rules files mean for features, one line each. */
function changeLines({ carries, removed, replaced }: Changes): string[] {
  const moved = new Set(carries.map(({ from }) => from));
  const lines = carries.map(({ from, to }) => {
    const how = removed.includes(from) ? 'moves to' : 'is copied to';
    return `${from} ${replaced.includes(from) ? 'moves to' : how} ${to}`;
  });
  const dropped = removed.filter((feature) => !moved.has(feature));
  lines.push(...dropped.map((feature) => `${feature} is dropped: its tuples are archived, then deleted`));
  return lines.length === 0 ? ['no feature was renamed, split, merged or dropped'] : lines;
}

function planLines({ changes, writes, deletes, widening, overlaps }: Plan): string[] {
  return [
    ...changeLines(changes),
    `${writes} tuples to write, ${deletes} to delete`,
    ...widening.map((each) => colors.yellow(wideningLine(each))),
    ...overlaps.map(({ feature, users }) =>
      colors.yellow(
        `between expand and contract, ${count(users, 'user')} of the former or the new ${feature} may pass both`,
      ),
    ),
  ];
}

function wideningLine({ feature, relation, users, points }: Widening): string {
  return `widens ${feature}: ${count(users, 'user')} would gain ${relation} (${points.join(', ')})`;
}

/** The output of --json. */
function toJson(outcome: SyncOutcome): Record<string, unknown> {
  const plan = 'plan' in outcome ? outcome.plan : undefined;
  const run = 'runId' in outcome ? { run: outcome.runId, restore: restoreLine(outcome.runId) } : {};
  const verification = outcome.kind === 'done' ? { verification: outcome.verification } : {};
  return { outcome: outcome.kind, ...run, ...(plan && planJson(plan)), ...verification };
}

function planJson({ changes, writes, deletes, widening, overlaps }: Plan): Record<string, unknown> {
  const { carries, removed, replaced } = changes;
  return { carries, removed, replaced, writes, deletes, widening, overlaps };
}

function restoreLine(runId: string): string {
  return `sallyport rules restore ${runId}`;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}

export interface RestoreCommand {
  readonly dryRun?: boolean;
  readonly json?: boolean;
  /** Seconds. */
  readonly wait: number;
}

/** Undoes one run of `rules sync`, or prints what that would do. */
export async function runRestore(runId: string, options: RestoreCommand): Promise<void> {
  const dryRun = options.dryRun === true;
  const restored = await withSyncDeps(options.wait * 1000, (deps) =>
    dryRun ? previewRestore(runId, deps) : restoreRun(runId, deps),
  );
  if (options.json === true) {
    const { written, leftOut, deleted, already } = restored;
    printJson({ run: runId, dry_run: dryRun, written, left_out: leftOut, deleted, already });
    return;
  }
  for (const line of restored.already ? [`run ${runId} is restored already`] : toLines(restored, dryRun))
    print(line);
}

function toLines({ written, deleted, leftOut }: Restored, dryRun: boolean): string[] {
  const counts = dryRun
    ? `${written} tuples would come back, ${deleted} copies would be taken away`
    : `restored: ${written} tuples came back, ${deleted} copies were taken away`;
  return [
    counts,
    ...(leftOut > 0 ? [`left out, since their users were removed meanwhile: ${leftOut}`] : []),
    ...(dryRun ? ['nothing was changed'] : []),
  ];
}
