import { Failure } from '../../failure.ts';
import { colors, interruption, note, print, printJson, progressBar } from '../../terminal.ts';
import { connected } from '../api/connect.ts';
import { takeLock } from '../lock.ts';
import { readSetupFile } from './file.ts';
import { OutFile } from './out.ts';
import { Asked, type Plan, type Step } from './plan.ts';
import { carryOut, Stopped, unseenNotes, type Found } from './run.ts';
import { placeOf, survey, type Place, type SetupOf } from './survey.ts';

export interface SetupCommand {
  readonly file: string;
  readonly dryRun?: boolean;
  readonly check?: boolean;
  readonly out?: string;
  readonly renew: readonly string[];
  readonly writeSecrets?: boolean;
  readonly json?: boolean;
}

export async function runSetup(options: SetupCommand): Promise<void> {
  const wanted = await readSetupFile(options.file);
  const client = connected('IAM_OWNER');
  if (options.check === true || options.dryRun === true) {
    const of = setupOf(options, wanted, client, await OutFile.open(options.out));
    const place = await placeOf(of, false);
    shownOnly(await survey(of, place), place, options);
    return;
  }
  // What is read before the lock is held, --out included, may be what another run is about to change.
  const lock = takeLock('setup');
  try {
    await carriedOut(setupOf(options, wanted, client, await OutFile.open(options.out)), options);
  } finally {
    lock.release();
  }
}

function setupOf(
  { renew, writeSecrets }: SetupCommand,
  wanted: SetupOf['wanted'],
  client: SetupOf['client'],
  out: OutFile,
): SetupOf {
  return { wanted, client, out, asked: new Asked(renew, writeSecrets === true), now: Date.now };
}

async function carriedOut(of: SetupOf, options: SetupCommand): Promise<void> {
  const place = await placeOf(of, true);
  const found = await survey(of, place);
  mustKeep(found, of);
  const bar = progressBar('setting up', { long: true });
  try {
    const { done, last, unseen } = await carryOut(found, () => survey(of, place), bar);
    bar.end();
    const next = nextAfter(done, of.out, options);
    report(options, last, place, { done, planned: [], ok: true, next, unseen });
  } catch (error) {
    bar.end();
    if (!(error instanceof Stopped)) throw error;
    stopped(options, found, error);
  }
}

/** What is made must not be lost: throws Failure before anything is made. */
function mustKeep({ plans }: Found, { out, wanted, client }: SetupOf): void {
  const secrets = plans.flatMap((plan) => [...plan.secrets.keys()]);
  if (out.path === null && secrets.length > 0)
    throw new Failure(
      `${[...new Set(secrets)].join(', ')} would be made, and are shown once: add --out FILE (an env file, or .yaml for the manifest of a Kubernetes Secret). Nothing was changed`,
    );
  const token = out.get('ZITADEL_SERVICE_TOKEN');
  if (token === undefined || wanted.serviceAccount === undefined) return;
  if (client.isOwnToken(token))
    throw new Failure(
      `${out.path ?? ''} holds the token that this command runs with, where that of ${wanted.serviceAccount.username} belongs: name another file. Nothing was changed`,
    );
}

interface Outcome {
  readonly done: readonly Step[];
  readonly planned: readonly Step[];
  readonly ok: boolean;
  readonly next: string;
  /** Done, and not shown by Zitadel's lists. */
  readonly unseen?: readonly string[];
}

/** Of --dry-run and --check. */
function shownOnly(found: Found, place: Place, options: SetupCommand): void {
  const planned = [...found.branches.flat(), ...found.last];
  const drifted = options.check === true && planned.length > 0;
  const next =
    planned.length === 0
      ? 'nothing to do'
      : `\`sallyport zitadel setup --file ${options.file}${outOf(found, options)}\` makes it so`;
  report(options, found, place, { done: [], planned, ok: !drifted, next });
  if (drifted) throw new Failure('');
}

/** Without --out the command would refuse to make a secret. */
function outOf({ plans }: Found, { out }: SetupCommand): string {
  const file = out ?? (plans.some(({ secrets }) => secrets.size > 0) ? 'FILE' : undefined);
  return file === undefined ? '' : ` --out ${file}`;
}

function stopped(options: SetupCommand, found: Found, error: Stopped): never {
  const left = [...found.branches.flat(), ...found.last].filter(
    ({ what }) => !error.done.some((each) => each.what === what),
  );
  const message = `${error.message}\n${error.done.length} steps are done, ${left.length} are left; what is done stays. Run the same command again: it goes on where this one stopped`;
  if (options.json === true)
    printJson({ ok: false, error: message, done: error.done.map(shown), left: left.map(shown) });
  // Of an interruption nothing is said but what is said here.
  if (interruption().aborted) note(message);
  throw new Failure(message, { cause: error });
}

function nextAfter(done: readonly Step[], { path }: OutFile, { file }: SetupCommand): string {
  if (done.length === 0) return 'nothing to do; `sallyport doctor` checks the whole of it';
  const kept =
    path === null
      ? ''
      : /\.ya?ml$/i.test(path)
        ? `kubectl apply -f ${path}; `
        : `the variables are in ${path}; `;
  return `${kept}\`sallyport zitadel setup --check --file ${file}\` tells of drift, \`sallyport doctor\` checks the whole of it`;
}

function shown({ action, what, why }: Step): object {
  return { action, what, ...(why !== '' && { why }) };
}

function all(plans: readonly Plan[], key: 'kept' | 'notes' | 'unchecked'): readonly string[] {
  return plans.flatMap((plan) => plan[key]);
}

function report(options: SetupCommand, { plans }: Found, { instance }: Place, outcome: Outcome): void {
  const { done, planned, ok, next, unseen = [] } = outcome;
  const notes = [...all(plans, 'notes'), ...unseenNotes(unseen)];
  const unchecked = all(plans, 'unchecked');
  if (options.json === true) {
    printJson({
      ok,
      ...{ instance: instance.name, version: instance.version },
      changed: done.length,
      ...{ done: done.map(shown), planned: planned.map(shown), kept: all(plans, 'kept') },
      ...{ notes, unchecked, out: options.out ?? null, next },
    });
    return;
  }
  const label = (step: Step): string =>
    done.includes(step) ? (step.action === 'make' ? 'made' : 'changed') : `would ${step.action}`;
  for (const step of [...done, ...planned])
    print(`${colors.green(label(step).padEnd(12))} ${step.what}${step.why === '' ? '' : ` (${step.why})`}`);
  print(
    `${all(plans, 'kept').length} as they should be, ${done.length} changed${planned.length > 0 ? `, ${planned.length} differ` : ''}`,
  );
  for (const each of notes) note(`${colors.yellow('note:')} ${each}`);
  for (const each of unchecked) note(`${colors.dim('not checked:')} ${each}`);
  note(`next: ${next}`);
}
