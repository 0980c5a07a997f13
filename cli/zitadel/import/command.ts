import { OPERATIONS, type Operations } from '../../../shared/configuration/operations.ts';
import { openKubectl, type Kubectl } from '../../children/kubectl.ts';
import { confirmed } from '../../confirm.ts';
import { Failure, UsageError } from '../../failure.ts';
import { beginRun, continueRun, type Journal } from '../../journal.ts';
import { needed } from '../../operations.ts';
import { interruption, note, print, printJson } from '../../terminal.ts';
import { configured } from '../../variables.ts';
import { openDump } from '../dump/source.ts';
import { apiOf } from './access.ts';
import { earlierRuns, refuseWhileStopped, removeParts, type Earlier } from './earlier.ts';
import { keepPlan, planLines } from './plan.ts';
import { prepare, untouched, type ImportCommand } from './prepare.ts';
import { report } from './report.ts';
import { importPlace, RUN, usualJobs, type Run, type RunFacts } from './run.ts';
import { lockTarget, openServer, serverFailure, type Server } from './server.ts';
import { carryOut } from './steps.ts';

const DATABASE = 'ZITADEL_DATABASE_URL';
const RESUME = 'sallyport zitadel import --resume';

/** Imports a dump, or goes on with an import. Throws Failure before anything is changed, or with the state that is left. */
export async function runImport(file: string | undefined, options: ImportCommand): Promise<void> {
  if (file === undefined && options.resume !== true)
    throw new UsageError('name the dump, or --resume to go on with an import');
  const config = configured(OPERATIONS);
  const url = needed(config.zitadelDatabaseUrl, DATABASE, "Zitadel's own database, as a superuser");
  const server = await untouched(() => openServer(url, DATABASE));
  try {
    if (options.dryRun !== true) await untouched(() => lockTarget(server), server);
    if (options.resume === true) await resume(file, options, config, server);
    else await begin(file ?? '', options, config, server);
  } catch (error) {
    const failure = serverFailure(error, server.shown, DATABASE);
    // What an interruption leaves is said here: the exit code alone is the caller's.
    if (interruption().aborted && failure instanceof Error) note(failure.message);
    throw failure;
  } finally {
    await server.close().catch(() => undefined);
  }
}

async function begin(
  file: string,
  options: ImportCommand,
  config: Operations,
  server: Server,
): Promise<void> {
  const earlier = earlierRuns(config.backupDir, server);
  if (options.dryRun !== true) refuseWhileStopped(earlier);
  const { plan, kubectl, factsOfRun } = await untouched(() => prepare(file, options, config, server), server);
  if (options.plan !== undefined) await keepPlan(options.plan, plan);
  if (options.dryRun === true) {
    const next = 'the same without --dry-run';
    if (options.json === true) printJson({ ok: true, dry_run: true, ...plan, next });
    else for (const line of [...planLines(plan), `nothing was changed. next: ${next}`]) print(line);
    return;
  }
  for (const line of planLines(plan)) note(line);
  await confirmed(
    { what: `this replaces the database ${server.target} at ${server.shown}`, name: server.target },
    options.yes,
  );
  const journal = beginRun(importPlace(config.backupDir), new Date());
  await removeParts(server, earlier);
  const facts = factsOfRun(journal.run);
  journal.record(RUN, 'begun', facts);
  await goOn({ journal, facts, server, options, config, kubectl: journalled(kubectl, config, journal) });
}

/** Goes on with the newest import into this database; where there is none to go on with and a dump is named, begins one. */
async function resume(
  file: string | undefined,
  options: ImportCommand,
  config: Operations,
  server: Server,
): Promise<void> {
  const [newest] = earlierRuns(config.backupDir, server);
  const source = file === undefined ? undefined : await openDump(file);
  const isAnother = source !== undefined && source.file !== newest?.facts.dump.file;
  if (newest === undefined || newest.state === 'recovered' || (newest.state === 'swapped' && isAnother)) {
    if (file === undefined) throw new Failure(nothingToResume(newest, config, server));
    note('there is no import to go on with: a new one begins');
    await begin(file, options, config, server);
    return;
  }
  const { run, facts } = newest;
  if (isAnother)
    throw new Failure(
      `import ${run} is of ${facts.dump.file}, not of ${source.file}: leave the name out, or recover from that import first`,
    );
  if (options.dryRun === true) {
    showRemaining(newest, options);
    return;
  }
  const kubectl = facts.to === 'kubernetes' ? openKubectl(config.kube) : null;
  const journal = continueRun(importPlace(config.backupDir), run);
  note(`import ${run}: going on`);
  await goOn({ journal, facts, server, options, config, kubectl: journalled(kubectl, config, journal) });
}

function showRemaining({ run, remaining }: Earlier, { json }: ImportCommand): void {
  const lines = remaining.map(({ name, does }) => `  ${name}: ${does}`);
  if (json === true) printJson({ ok: true, dry_run: true, run, remaining, next: RESUME });
  else
    for (const line of [`what remains of import ${run}:`, ...lines, `nothing was changed. next: ${RESUME}`])
      print(line);
}

function nothingToResume(newest: Earlier | undefined, { backupDir }: Operations, { shown }: Server): string {
  return newest === undefined
    ? `no import into ${shown} in ${backupDir} (BACKUP_DIR) to go on with`
    : `import ${newest.run} was recovered from: begin a new one`;
}

interface Going {
  readonly journal: Journal;
  readonly facts: RunFacts;
  readonly server: Server;
  readonly options: ImportCommand;
  readonly config: Operations;
  readonly kubectl: Kubectl | null;
}

function journalled(
  kubectl: Kubectl | null,
  { kube }: Operations,
  { log, onStart }: Journal,
): Kubectl | null {
  return kubectl && openKubectl(kube, { signal: interruption(), log, onStart });
}

async function goOn({ journal, facts, server, options, config, kubectl }: Going): Promise<void> {
  const api = apiOf(config, facts.to);
  const run: Run = {
    journal,
    facts,
    server,
    kubectl,
    api,
    signal: interruption(),
    waitMs: options.wait * 1_000,
    jobs: options.jobs ?? usualJobs(),
  };
  try {
    report(run, await carryOut(run, api !== null), options);
  } finally {
    journal.close();
  }
}
