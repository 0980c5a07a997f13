import { parseDatabaseUrl } from '../../../shared/database/url.ts';
import { OPERATIONS, type Operations } from '../../../shared/configuration/operations.ts';
import { openKubectl } from '../../children/kubectl.ts';
import { confirmed } from '../../confirm.ts';
import { Failure } from '../../failure.ts';
import { continueRun, type Journal } from '../../journal.ts';
import { needed } from '../../operations.ts';
import { interruption, note, print, printJson } from '../../terminal.ts';
import { configured } from '../../variables.ts';
import { openDump } from '../dump/source.ts';
import { scaleDown, scaleUp } from './cluster.ts';
import { chosenRun } from './earlier.ts';
import { restoreInto } from './restore.ts';
import { factsOf, importPlace, isSameDatabase, usualJobs, type Run } from './run.ts';
import {
  dropDatabase,
  findDatabase,
  lockTarget,
  openServer,
  serverFailure,
  type Rename,
  type Server,
} from './server.ts';
import { RECOVER, SWAP } from './steps.ts';
import { renameWhenFree } from './swap.ts';
import { countTables, differences, withDatabaseOf } from './target.ts';
import { wayBack, type WayBack } from './way-back.ts';

export interface RunCommand {
  /** Seconds. */
  readonly wait?: number;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const DATABASE = 'ZITADEL_DATABASE_URL';
const DEFAULT_WAIT_SECONDS = 600;

/** What a command of a former run works with. */
export interface OfRun {
  readonly config: Operations;
  readonly server: Server;
  readonly journal: Journal;
}

/** Runs `work` with a run's journal and its server, both locked. Throws Failure when they do not belong together. */
export async function withRun(wanted: string | undefined, work: (of: OfRun) => Promise<void>): Promise<void> {
  const config = configured(OPERATIONS);
  const url = needed(config.zitadelDatabaseUrl, DATABASE, "Zitadel's own database, as a superuser");
  const name = chosenRun(config.backupDir, parseDatabaseUrl(url), wanted);
  const journal = continueRun(importPlace(config.backupDir), name);
  try {
    const server = await openServer(url, DATABASE);
    try {
      const facts = factsOf(journal);
      if (!isSameDatabase(facts.server, server.shown))
        throw new Failure(`import ${name} is into ${facts.server}, and ${DATABASE} leads to ${server.shown}`);
      await lockTarget(server);
      await work({ config, server, journal });
    } catch (error) {
      throw serverFailure(error, server.shown, DATABASE);
    } finally {
      await server.close().catch(() => undefined);
    }
  } finally {
    journal.close();
  }
}

/** Puts the database back that was there before an import. Throws Failure with the state that is left. */
export async function runRecover(wanted: string | undefined, options: RunCommand): Promise<void> {
  await withRun(wanted, async ({ config, server, journal }) => {
    const facts = factsOf(journal);
    const way = await wayBack(server, journal);
    const { by, says } = way;
    if (options.dryRun === true) {
      const next = `sallyport zitadel import recover ${journal.run}`;
      show(options, { dry_run: true, run: journal.run, by, says, next }, [
        says,
        `nothing was changed. next: ${next}`,
      ]);
      return;
    }
    await confirmed({ what: `import ${journal.run}: ${says}`, name: facts.target }, options.yes);
    const { kube } = config;
    const { log, onStart } = journal;
    const run: Run = {
      ...{ journal, facts, server, api: null, signal: interruption() },
      kubectl: facts.to === 'kubernetes' ? openKubectl(kube, { signal: interruption(), log, onStart }) : null,
      waitMs: (options.wait ?? DEFAULT_WAIT_SECONDS) * 1_000,
      jobs: usualJobs(),
    };
    await carryBack(run, way).catch((error: unknown) => {
      throw stoppedAt(run, error);
    });
    const beside = await besides(run);
    show(
      options,
      { run: journal.run, by, database: facts.target, kept: beside, next: nextAfter(journal, beside) },
      [
        facts.oid === null ? says : `${facts.target} is the former database`,
        `next: ${nextAfter(journal, beside)}`,
      ],
    );
  });
}

function show({ json }: RunCommand, machine: object, lines: readonly string[]): void {
  if (json === true) printJson({ ok: true, ...machine });
  else for (const line of lines) print(line);
}

async function besides({ server, facts }: Run): Promise<string | null> {
  return (await findDatabase(server, facts.copy)) === undefined ? null : facts.copy;
}

function nextAfter({ run }: Journal, beside: string | null): string {
  return beside === null
    ? 'sallyport zitadel verify'
    : `sallyport zitadel import finish ${run}, which removes ${beside}`;
}

/** May be cut off and begun again: what is done already is found by the databases themselves. */
async function carryBack(run: Run, way: WayBack): Promise<void> {
  const { facts, journal, server } = run;
  journal.record(RECOVER, 'begun', { by: way.by });
  const rescue = facts.copy.replace(/_import_(\d+)$/, '_rescue_$1');
  if (way.by === 'backup') {
    note(`restoring ${way.file} …`);
    await restored(run, way, rescue);
  }
  // A copy that never was the target is a part, or holds nothing but the dump.
  if (way.by === 'untouched' && journal.find(SWAP, 'begun') === undefined)
    await dropDatabase(server, facts.copy);
  if (way.by !== 'untouched') {
    note(`waiting until nobody is connected to ${facts.target} …`);
    await scaleDown(run);
    await renameWhenFree(run, await renamesOf(run, way.by === 'backup' ? rescue : facts.kept));
  }
  if (way.by !== 'untouched' || journal.find('stop', 'begun') !== undefined)
    await scaleUp(run, [...facts.zitadel, ...facts.login]);
  journal.record(RECOVER, 'done', { by: way.by });
}

async function renamesOf({ facts, server }: Run, back: string): Promise<readonly Rename[]> {
  const { target, copy } = facts;
  const renames = [{ from: back, to: target }];
  if ((await findDatabase(server, target)) === undefined) return renames;
  return [{ from: target, to: copy }, ...renames];
}

async function restored(
  run: Run,
  { file, tables }: Extract<WayBack, { readonly by: 'backup' }>,
  rescue: string,
): Promise<void> {
  const { facts, server } = run;
  await restoreInto(run, {
    source: await openDump(file),
    restrictKey: null,
    into: rescue,
    like: facts.target,
    owner: facts.owner,
    ownerless: false,
    tables,
  });
  const counted = await withDatabaseOf(server, rescue, countTables);
  const differing = differences(tables, counted, { wanted: 'in the backup', found: 'restored' });
  if (differing.length > 0) {
    await dropDatabase(server, rescue);
    throw new Failure(`the backup does not come back whole: ${differing.slice(0, 5).join('; ')}`);
  }
}

function stoppedAt({ facts, journal, server }: Run, thrown: unknown): Failure {
  const error = serverFailure(thrown, server.shown, DATABASE);
  const cause = error instanceof Error ? error.message : 'unknown error';
  return new Failure(
    [
      `recover: ${cause}`,
      `  state: ${facts.target} is the former database or the imported one, whole${facts.to === 'kubernetes' ? '; Zitadel may be scaled to 0' : ''}`,
      `  on: sallyport zitadel import recover ${journal.run}`,
    ].join('\n'),
    { cause: error },
  );
}
