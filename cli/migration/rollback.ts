import {
  openRollbackBooks,
  previewRollback,
  rollBack,
  type RollbackDeps,
  type RolledBack,
} from '../../shared/provisioning/rollback.ts';
import { previewUndoRollback, undoRollback } from '../../shared/provisioning/rollback-undo.ts';
import { processes } from '../deps.ts';
import { UsageError } from '../failure.ts';
import { assertTenant, LEASE_WAIT_MS, withDatabase, withProgress } from '../people/ground.ts';
import { colors, print, printJson } from '../terminal.ts';

export interface RollbackCommand {
  readonly tenant?: string;
  readonly all?: boolean;
  readonly clearLinks?: boolean;
  readonly undo?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Takes people back to their passwords, or undoes that. */
export async function runRollback(options: RollbackCommand): Promise<void> {
  const { undo, dryRun = false } = options;
  if (
    undo !== undefined &&
    (options.tenant !== undefined || options.all === true || options.clearLinks === true)
  )
    throw new UsageError(
      '--undo takes a rollback back as it was made: it takes no --tenant, --all or --clear-links',
    );
  await withRollback(async (deps) => {
    if (undo !== undefined) {
      const undone = await (dryRun ? previewUndoRollback(undo, deps) : undoRollback(undo, deps));
      const { restored, kept, already } = undone;
      if (options.json === true) printJson({ run: undo, dry_run: dryRun, restored, kept, already });
      else if (already) print(`rollback ${undo} is undone already`);
      else
        print(
          `${restored} people ${dryRun ? 'would be brought' : 'brought'} back to both doors, ${kept} kept because their rows have changed since`,
        );
      return;
    }
    const request = { tenant: options.tenant ?? null, clearLinks: options.clearLinks === true };
    await assertTenant(deps.database, request.tenant);
    report(await (dryRun ? previewRollback(request, deps) : rollBack(request, deps)), options.json === true);
  });
}

function withRollback(work: (deps: RollbackDeps) => Promise<void>): Promise<void> {
  return withDatabase(({ database, random }) =>
    withProgress('rolling back', (progress) =>
      work({
        ...openRollbackBooks(database, { processes }),
        ...progress,
        random,
        waitMs: LEASE_WAIT_MS,
        onRun: () => undefined,
      }),
    ),
  );
}

const SHOWN = 100;

function report({ runId, rolledBack, linksCleared, kept }: RolledBack, json: boolean): void {
  if (json) {
    const people = kept.map(({ id, slug, email, reason }) => ({ user: id, tenant: slug, email, reason }));
    printJson({
      run: runId,
      dry_run: runId === null,
      rolled_back: rolledBack,
      links_cleared: linksCleared,
      kept: people.length,
      people,
    });
    return;
  }
  const would = runId === null ? 'would go' : colors.green('went');
  print(
    `${rolledBack} people ${would} back to their passwords, ${linksCleared} links cleared, ${kept.length} kept`,
  );
  for (const { slug, email, reason } of kept.slice(0, SHOWN)) print(`  kept ${slug} ${email}: ${reason}`);
  if (kept.length > SHOWN) print(`  and ${kept.length - SHOWN} more: --json lists all`);
  print(runId === null ? 'nothing was changed' : `to undo: sallyport migration rollback --undo ${runId}`);
}
