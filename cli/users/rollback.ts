import { keptOf, previewUndo, undoRun, type Undone } from '../../shared/provisioning/undo.ts';
import { Failure } from '../failure.ts';
import { goesOn, LEASE_WAIT_MS, withPeople } from '../people/ground.ts';
import { colors, note, print, printJson } from '../terminal.ts';
import { outcomeLine, outcomesOf } from './outcomes.ts';

export interface RollbackCommand {
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly concurrency?: number;
}

/** Undoes one run, or prints what that would do. */
export async function runRollback(run: string, options: RollbackCommand): Promise<void> {
  const dryRun = options.dryRun === true;
  const { concurrency } = options;
  const begun: string[] = [];
  const onRun = (id: string): void => {
    begun.push(id);
  };
  const work = withPeople({ concurrency, waitMs: LEASE_WAIT_MS, label: 'undoing', onRun }, async (deps) => {
    const undone = await (dryRun ? previewUndo(run, deps) : undoRun(run, deps));
    const kept = await keptOf(run, deps.database);
    const failures = (await outcomesOf(deps.database, run)).filter(({ outcome }) => outcome === 'undoing');
    if (options.json === true) {
      const { runId, removed, unlinked, failed, already } = undone;
      printJson({
        run: runId,
        dry_run: dryRun,
        removed,
        unlinked,
        kept: undone.kept,
        failed,
        already,
        people: kept,
      });
    } else {
      for (const line of linesOf(undone, dryRun)) print(line);
      for (const person of kept) print(outcomeLine({ outcome: 'kept', ...person }));
      for (const failure of failures) print(outcomeLine(failure));
    }
    if (undone.failed > 0) throw new Failure('');
  });
  try {
    await work;
  } catch (error) {
    if (begun.length > 0 && goesOn(error))
      note(`nothing is lost: \`sallyport users rollback ${run}\` goes on`);
    throw error;
  }
}

function linesOf({ runId, removed, unlinked, kept, failed, already }: Undone, dryRun: boolean): string[] {
  if (already) return [`run ${runId} is undone already`];
  const counts = `${removed} accounts ${dryRun ? 'would be removed' : colors.green('removed')}, ${unlinked} unlinked`;
  return [
    `${counts}, ${kept} kept because they have signed in since${failed > 0 ? `, ${failed} failed` : ''}`,
    ...(dryRun ? ['nothing was changed'] : []),
  ];
}
