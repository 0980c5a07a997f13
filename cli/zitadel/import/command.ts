import { OPERATIONS, type Operations } from '../../../shared/configuration/operations.ts';
import { openKubectl, type Kubectl } from '../../children/kubectl.ts';
import { confirmed } from '../../confirm.ts';
import { Failure, UsageError } from '../../failure.ts';
import { beginRun, continueRun, type Journal } from '../../journal.ts';
import { masterkey, needed } from '../../operations.ts';
import { interruption, note, print, printJson } from '../../terminal.ts';
import { configured } from '../../variables.ts';
import { inspectDump, type Dump } from '../dump/inspect.ts';
import { openDump } from '../dump/source.ts';
import { apiOf } from './access.ts';
import { findWorkloads } from './cluster.ts';
import { earlierRuns, refuseWhileStopped, removeParts, type Earlier } from './earlier.ts';
import { keepPlan, planLines, planOf, type Plan } from './plan.ts';
import { judge } from './preflight/judge.ts';
import { report } from './report.ts';
import { importPlace, RUN, type Run, type RunFacts } from './run.ts';
import {
  findDatabase,
  lockTarget,
  openServer,
  rolesAmong,
  serverFailure,
  type Found,
  type Server,
} from './server.ts';
import { carryOut } from './steps.ts';
import { stateOf, type TargetState } from './target.ts';

export interface ImportCommand {
  readonly to?: 'kubernetes' | 'postgres';
  readonly plan?: string;
  readonly resume?: boolean;
  readonly targetVersion?: string;
  /** Seconds. */
  readonly wait: number;
  readonly zitadel?: string;
  readonly login?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const DATABASE = 'ZITADEL_DATABASE_URL';

/** Imports a dump, or goes on with an import. Throws Failure before anything is changed, or with the state that is left. */
export async function runImport(file: string | undefined, options: ImportCommand): Promise<void> {
  if (file === undefined && options.resume !== true)
    throw new UsageError('name the dump, or --resume to go on with an import');
  const config = configured(OPERATIONS);
  const url = needed(config.zitadelDatabaseUrl, DATABASE, "Zitadel's own database, as a superuser");
  const server = await openServer(url, DATABASE);
  try {
    if (options.dryRun !== true) await lockTarget(server);
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
  namesOf(server, LIKE_A_RUN);
  const to =
    options.to ??
    (config.kube.namespace === null && config.kube.context === null ? 'postgres' : 'kubernetes');
  const key = masterkey();
  const source = await openDump(file);
  note(`reading ${source.file} …`);
  const dump = await inspectDump(source, { signal: interruption() });
  if (interruption().aborted) throw new Failure('interrupted: nothing was changed');
  const former = await findDatabase(server, server.target);
  const state = former && (await stateOf(server, former.name));
  const kubectl = to === 'kubernetes' ? openKubectl(config.kube, { signal: interruption() }) : null;
  const workloads = kubectl === null ? { zitadel: [], login: [] } : await findWorkloads(kubectl, options);
  const owner = await ownerOf(server, dump, former, state);
  const { externalDomain, backupDir } = config;
  const checks = await judge({
    ...{ dump, server, former, state, externalDomain, backupDir, owner, masterkey: key },
    targetVersion: options.targetVersion,
  });
  const facts = {
    ...{ to, ...workloads, server: server.shown, target: server.target, oid: former?.oid ?? null },
  };
  const plan = planOf({ dump, checks, facts, api: apiOf(config, to) !== null });
  refuse(plan, options);
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
  const journal = beginRun(importPlace(backupDir), new Date());
  await removeParts(server, earlier);
  const complete = {
    ...facts,
    ...namesOf(server, journal.run),
    owner,
    ownerless: dump.owners.length === 0,
    dump: dumpFacts(dump),
  };
  journal.record(RUN, 'begun', complete);
  await goOn({
    journal,
    facts: complete,
    server,
    options,
    config,
    kubectl: journalled(kubectl, config, journal),
  });
}

/** Throws Failure with every check that forbids the import. */
function refuse(plan: Plan, { json }: ImportCommand): void {
  const refused = plan.checks.filter(({ verdict }) => verdict === 'no');
  if (refused.length === 0) return;
  if (json === true)
    printJson({ ok: false, error: refused.map(({ name, says }) => `${name}: ${says}`).join('; '), ...plan });
  else for (const line of planLines(plan)) note(line);
  throw new Failure(
    ['refused, nothing was changed:', ...refused.map(({ name, says }) => `  ${name}: ${says}`)].join('\n'),
  );
}

const USUAL_OWNER = 'zitadel';

/** Who owns the database, and what a --no-owner dump brings: as the target has it, else as the dump says. Empty: nothing says. */
async function ownerOf(
  server: Server,
  dump: Dump,
  former: Found | undefined,
  state: TargetState | undefined,
): Promise<string> {
  const known = state?.zitadel?.owner ?? former?.owner ?? dump.owners[0];
  if (known !== undefined) return known;
  const [usual] = await rolesAmong(server, [USUAL_OWNER]);
  return usual?.name ?? '';
}

function dumpFacts({ source, restrictKey, tables }: Dump): RunFacts['dump'] {
  return { ...source, restrictKey, tables: Object.fromEntries(tables) };
}

const LONGEST_NAME_BYTES = 63;
const LIKE_A_RUN = '20260101000000';

function namesOf({ target }: Server, run: string): Pick<RunFacts, 'copy' | 'kept'> {
  const names = { copy: `${target}_import_${run}`, kept: `${target}_before_${run}` };
  const long = Object.values(names).find((name) => Buffer.byteLength(name) > LONGEST_NAME_BYTES);
  if (long !== undefined)
    throw new Failure(
      `the database's name is too long for one beside it: ${long} has more than ${LONGEST_NAME_BYTES} bytes`,
    );
  return names;
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
  const kubectl = facts.to === 'kubernetes' ? openKubectl(config.kube) : null;
  const journal = continueRun(importPlace(config.backupDir), run);
  note(`import ${run}: going on`);
  await goOn({ journal, facts, server, options, config, kubectl: journalled(kubectl, config, journal) });
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
  };
  try {
    report(run, await carryOut(run, api !== null), options);
  } finally {
    journal.close();
  }
}
