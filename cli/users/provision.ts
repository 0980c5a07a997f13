import { previewPeople, type Counts } from '../../shared/provisioning/plan.ts';
import { assertRights, type PeopleDeps } from '../../shared/provisioning/deps.ts';
import { provision, resume } from '../../shared/provisioning/provision.ts';
import { Failure, UsageError } from '../failure.ts';
import { assertTenant, LEASE_WAIT_MS, withPeople } from '../people/ground.ts';
import { colors, interruptedWith, note, print } from '../terminal.ts';
import { readUserIds } from './file.ts';
import { outcomeLine, outcomesOf, toOutcome, type Outcome } from './outcomes.ts';

export interface ProvisionCommand {
  readonly tenant?: string;
  readonly limit?: number;
  readonly dryRun?: boolean;
  readonly concurrency?: number;
  readonly resume?: string;
  readonly passwords: boolean;
  readonly json?: boolean;
}

/** Makes accounts at the provider, or prints what that would do. */
export async function runProvision(file: string | undefined, options: ProvisionCommand): Promise<void> {
  if (options.resume !== undefined) assertAlone(file, options);
  const json = options.json === true;
  const ids = file === undefined ? null : await readUserIds(file);
  let runId: string | undefined;
  const onRun = (id: string): void => {
    runId = id;
    print(json ? JSON.stringify({ run: id }) : `run ${id}`);
  };
  const waitMs = options.resume === undefined ? 0 : LEASE_WAIT_MS;
  const { concurrency, tenant = null, limit = null, passwords } = options;
  await withPeople({ concurrency, waitMs, label: 'provisioning', onRun }, async (deps) => {
    await assertTenant(deps.database, tenant);
    if (options.dryRun === true) {
      await assertRights(deps);
      const preview = await previewPeople({ tenant, limit, listed: ids }, deps);
      report(null, preview.counts, preview.leftOut.map(toOutcome), json);
      return;
    }
    const request = { tenant, limit, passwords, listed: ids };
    try {
      const done = await (options.resume === undefined
        ? provision(request, deps)
        : resume(options.resume, deps));
      report(done.runId, done.counts, await outcomesOf(deps.database, done.runId), json);
      if (done.counts.failed > 0) throw new Failure('');
    } catch (error) {
      if (runId !== undefined) await printWayOn(runId, deps);
      if (runId !== undefined && json && error instanceof Error && error.message !== '')
        print(JSON.stringify({ run: runId, ok: false, error: error.message }));
      throw error;
    }
  });
}

function assertAlone(file: string | undefined, { tenant, limit, dryRun, passwords }: ProvisionCommand): void {
  if (file === undefined && tenant === undefined && limit === undefined && dryRun !== true && passwords)
    return;
  throw new UsageError(
    '--resume goes on with a run as it was begun: it takes no file, --tenant, --limit, --dry-run or --no-passwords',
  );
}

async function printWayOn(runId: string, { runs }: PeopleDeps): Promise<void> {
  const run = await runs.find(runId).catch(() => undefined);
  if (run !== undefined && run.state !== 'running') return;
  const why = interruptedWith() === undefined ? 'stopped' : 'interrupted';
  note(`${why}, and nothing is lost: \`sallyport users provision --resume ${runId}\` goes on`);
}

const SHOWN = 100;

/** With --json one line each, the counts last. */
function report(runId: string | null, counts: Counts, outcomes: readonly Outcome[], json: boolean): void {
  if (json) {
    for (const outcome of outcomes) print(JSON.stringify(outcome));
    print(JSON.stringify({ run: runId, ...counts, ...(runId === null && { dry_run: true }) }));
    return;
  }
  const { created, linked, collisions, refused, failed, skipped } = counts;
  const would = runId === null ? 'would be ' : '';
  print(
    `${would}created ${colors.green(String(created))}, linked ${linked}, collisions ${collisions}, refused ${refused}, failed ${failed}, skipped ${skipped}`,
  );
  for (const outcome of outcomes.slice(0, SHOWN)) print(outcomeLine(outcome));
  if (outcomes.length > SHOWN) print(`  and ${outcomes.length - SHOWN} more: --json lists all`);
  if (runId === null) print('nothing was changed');
  else if (created + linked > 0) print(`to undo: sallyport users rollback ${runId}`);
}
