import { restoreRun } from '../../functions/feature-sync/restore.ts';
import { Failure } from '../failure.ts';
import { print, printJson } from '../terminal.ts';
import { withSyncDeps } from './sync-deps.ts';

export interface RestoreCommand {
  readonly json?: boolean;
  /** Seconds. */
  readonly wait: number;
}

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** Undoes one run of `rules sync`. */
export async function runRestore(runId: string, options: RestoreCommand): Promise<void> {
  if (!UUID.test(runId)) throw new Failure('a run is named by the id that `sallyport rules sync` printed');
  const restored = await withSyncDeps(options.wait * 1000, (deps) => restoreRun(runId, deps));
  if (options.json === true) {
    const { written, leftOut, deleted, already } = restored;
    printJson({ run: runId, written, left_out: leftOut, deleted, already });
    return;
  }
  if (restored.already) {
    print(`run ${runId} is restored already`);
    return;
  }
  print(`restored: ${restored.written} tuples came back, ${restored.deleted} copies were taken away`);
  if (restored.leftOut > 0) print(`left out, since their users were removed meanwhile: ${restored.leftOut}`);
}
