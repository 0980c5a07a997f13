import { previewRestore, restoreRun, type Restored } from '../../functions/feature-sync/restore.ts';
import { print, printJson } from '../terminal.ts';
import { withSyncDeps } from './sync-deps.ts';

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
