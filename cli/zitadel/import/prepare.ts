import type { Operations } from '../../../shared/configuration/operations.ts';
import { openKubectl, type Kubectl } from '../../children/kubectl.ts';
import { Failure } from '../../failure.ts';
import { masterkey } from '../../operations.ts';
import { interruption, note, printJson } from '../../terminal.ts';
import { inspectDump, type Dump } from '../dump/inspect.ts';
import { openDump } from '../dump/source.ts';
import { apiOf } from './access.ts';
import { findWorkloads } from './cluster.ts';
import { planLines, planOf, type Plan } from './plan.ts';
import { judge } from './preflight/judge.ts';
import type { RunFacts } from './run.ts';
import { findDatabase, rolesAmong, serverFailure, type Found, type Server } from './server.ts';
import { stateOf, type TargetState } from './target.ts';

export interface ImportCommand {
  readonly to?: 'kubernetes' | 'postgres';
  readonly plan?: string;
  readonly resume?: boolean;
  readonly targetVersion?: string;
  /** Seconds. */
  readonly wait: number;
  readonly jobs?: number;
  readonly zitadel?: string;
  readonly login?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** An import that can be begun. */
export interface Prepared {
  readonly plan: Plan;
  readonly kubectl: Kubectl | null;
  readonly factsOfRun: (run: string) => RunFacts;
}

/** Reads the dump and looks at everything that it needs. Throws Failure with every check that forbids the import. */
export async function prepare(
  file: string,
  options: ImportCommand,
  config: Operations,
  server: Server,
): Promise<Prepared> {
  namesOf(server, LIKE_A_RUN);
  const { kube, externalDomain, backupDir } = config;
  const to = options.to ?? (kube.namespace === null && kube.context === null ? 'postgres' : 'kubernetes');
  const key = masterkey();
  const source = await openDump(file);
  note(`reading ${source.file} …`);
  const dump = await inspectDump(source, { signal: interruption() });
  if (interruption().aborted) throw new Failure('interrupted');
  const former = await findDatabase(server, server.target);
  const state = former && (await stateOf(server, former.name));
  const kubectl = to === 'kubernetes' ? openKubectl(kube, { signal: interruption() }) : null;
  const workloads = kubectl === null ? { zitadel: [], login: [] } : await findWorkloads(kubectl, options);
  const owner = await ownerOf(server, dump, former, state);
  const checks = await judge({
    ...{ dump, server, former, state, externalDomain, backupDir, owner, masterkey: key },
    targetVersion: options.targetVersion,
  });
  const facts = { to, ...workloads, server: server.shown, target: server.target, oid: former?.oid ?? null };
  const plan = planOf({ dump, checks, facts, api: apiOf(config, to) !== null });
  refuse(plan, options);
  const ownerless = dump.owners.length === 0;
  return {
    plan,
    kubectl,
    factsOfRun: (run) => ({ ...facts, ...namesOf(server, run), owner, ownerless, dump: dumpFacts(dump) }),
  };
}

/** What `work` returns. A failure of it says that nothing was changed, and what to do. */
export async function untouched<T>(work: () => Promise<T>, server?: Server): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const failure = server === undefined ? error : serverFailure(error, server.shown, 'ZITADEL_DATABASE_URL');
    if (!(failure instanceof Failure) && !interruption().aborted) throw failure;
    const cause = failure instanceof Failure ? failure.message : 'interrupted';
    const lines = [
      cause,
      '  state: nothing was changed',
      '  on: the same command again, once that is mended',
    ];
    throw new Failure(lines.join('\n'), { cause: failure });
  }
}

/** Throws Failure with every check that forbids the import. */
function refuse(plan: Plan, { json }: ImportCommand): void {
  const refused = plan.checks.filter(({ verdict }) => verdict === 'no');
  if (refused.length === 0) return;
  if (json === true)
    printJson({ ok: false, error: refused.map(({ name, says }) => `${name}: ${says}`).join('; '), ...plan });
  else for (const line of planLines(plan)) note(line);
  throw new Failure(['refused:', ...refused.map(({ name, says }) => `  ${name}: ${says}`)].join('\n'));
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
