import { Failure } from '../../failure.ts';
import { colors, note } from '../../terminal.ts';
import { loginV2, ready, tokens } from './after.ts';
import { backUp } from './backup.ts';
import { scaleDown, scaleUp } from './cluster.ts';
import { projections } from './projections.ts';
import { restoreCopy, verifyCopy } from './copy.ts';
import type { Run, RunFacts } from './run.ts';
import { serverFailure } from './server.ts';
import { secrets } from './secrets.ts';
import { signIn } from './sign-in.ts';
import { swapIn } from './swap.ts';

type Result = Readonly<Record<string, unknown>> | undefined;

export interface Step {
  readonly name: string;
  /** For the plan. */
  readonly does: string;
  isMeant(to: RunFacts['to']): boolean;
  /** Needs Zitadel's API, after the swap. */
  readonly needsApi: boolean;
  /** Done again after a kill within it. `says` of what it returns is shown. */
  work(run: Run): Promise<Result>;
}

const always = (): boolean => true;
const inKubernetes = (to: RunFacts['to']): boolean => to === 'kubernetes';

export const SWAP = 'swap';
/** Recorded beside the steps: the import was undone. */
export const RECOVER = 'recover';

/** In their order. What is done is recorded, and not done again. */
export const STEPS: readonly Step[] = [
  {
    name: 'backup',
    does: 'back the target up into BACKUP_DIR, and read the backup back',
    isMeant: always,
    needsApi: false,
    work: backUp,
  },
  {
    name: 'restore',
    does: 'restore the dump into a database beside the target',
    isMeant: always,
    needsApi: false,
    work: restoreCopy,
  },
  {
    name: 'verify',
    does: 'compare every table of the copy with the dump',
    isMeant: always,
    needsApi: false,
    work: verifyCopy,
  },
  {
    name: 'stop',
    does: 'scale Zitadel and Login v2 to 0',
    isMeant: inKubernetes,
    needsApi: false,
    work: async (run) => {
      await scaleDown(run);
      return undefined;
    },
  },
  {
    name: SWAP,
    does: 'wait until nobody is connected, then rename both databases in one transaction',
    isMeant: always,
    needsApi: false,
    work: (run) => swapIn(run, copyOidOf(run)),
  },
  {
    name: 'start',
    does: 'scale Zitadel up to what it was',
    isMeant: inKubernetes,
    needsApi: false,
    work: async (run) => {
      const { zitadel, login } = run.facts;
      // Without the API nothing more is done: people shall sign in all the same.
      await scaleUp(run, run.api === null ? [...zitadel, ...login] : zitadel);
      return { login_started: run.api === null };
    },
  },
  {
    name: 'ready',
    does: 'wait until Zitadel answers',
    isMeant: always,
    needsApi: true,
    work: ready,
  },
  {
    name: 'projections',
    does: 'wait until what is derived from the events has caught up',
    isMeant: always,
    needsApi: true,
    work: projections,
  },
  {
    name: 'tokens',
    does: 'check service accounts and their tokens',
    isMeant: always,
    needsApi: true,
    work: tokens,
  },
  {
    name: 'secrets',
    does: "check the login client's secret; renewed only where it is refused",
    isMeant: inKubernetes,
    needsApi: true,
    work: secrets,
  },
  {
    name: 'login',
    does: 'start Login v2, and check that it can be reached where it is required',
    isMeant: always,
    needsApi: true,
    work: loginV2,
  },
  {
    name: 'sign-in',
    does: 'sign a person in that is made for it and removed again',
    isMeant: always,
    needsApi: true,
    work: signIn,
  },
];

function copyOidOf({ journal }: Run): number {
  const oid = journal.find('restore', 'done')?.['oid'];
  if (typeof oid === 'number') return oid;
  throw new Failure('the journal does not say which database was restored: begin a new import');
}

export interface Outcome {
  readonly steps: readonly { readonly name: string; readonly says: string }[];
  /** Left for later, because Zitadel's API is not known. */
  readonly remaining: readonly Step[];
}

/** Does what is not done yet. Throws Failure with the cause, the state that is left, and the commands that go on and back. */
export async function carryOut(run: Run, api: boolean): Promise<Outcome> {
  const { journal, facts } = run;
  const meant = STEPS.filter((step) => step.isMeant(facts.to));
  const done: { name: string; says: string }[] = [];
  for (const step of meant) {
    const before = journal.find(step.name, 'done');
    if (before !== undefined) {
      done.push({ name: step.name, says: saysOf(before) });
      continue;
    }
    if (step.needsApi && !api) break;
    note(`${step.name}: ${step.does} …`);
    try {
      if (run.signal.aborted) throw new Failure('interrupted');
      journal.record(step.name, 'begun');
      const result = (await step.work(run)) ?? {};
      journal.record(step.name, 'done', result);
      done.push({ name: step.name, says: saysOf(result) });
    } catch (error) {
      throw stopped(run, step, error);
    }
    const says = done.at(-1)?.says ?? '';
    note(`${colors.green('✓')} ${step.name}${says === '' ? '' : `: ${says}`}`);
  }
  return { steps: done, remaining: meant.slice(done.length) };
}

function saysOf(result: Readonly<Record<string, unknown>>): string {
  const { says } = result;
  return typeof says === 'string' ? says : '';
}

function stopped(run: Run, step: Step, thrown: unknown): Failure {
  const { facts, journal, server } = run;
  const error = serverFailure(thrown, server.shown, 'ZITADEL_DATABASE_URL');
  const cause = run.signal.aborted ? 'interrupted' : error instanceof Error ? error.message : 'unknown error';
  const swapped = journal.find(SWAP, 'done') !== undefined;
  const down =
    facts.to === 'kubernetes' &&
    journal.find('stop', 'begun') !== undefined &&
    journal.find('start', 'done') === undefined;
  const state = swapped
    ? `${facts.target} is the imported database${facts.oid === null ? '' : `, the former one is ${facts.kept}`}`
    : step.name === SWAP
      ? `${facts.target} is the former database or the imported one, whole: --resume finds out which`
      : `${facts.target} is the former database, untouched`;
  const message = [
    `${step.name}: ${cause}`,
    `  state: ${state}${down ? '; Zitadel may be scaled to 0' : ''}`,
    `  on: sallyport zitadel import --resume`,
    `  back: sallyport zitadel import recover ${journal.run}`,
  ].join('\n');
  return new Failure(message, { cause: error });
}
