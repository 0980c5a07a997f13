import { pause } from '../../../shared/ports/runtime.ts';
import { messageOf } from '../../../shared/errors.ts';
import { Failure } from '../../failure.ts';
import { interruption } from '../../terminal.ts';
import { Refused } from '../api/client.ts';
import type { OutFile } from './out.ts';
import type { Branches, Plan, Step } from './plan.ts';

const TOGETHER = 6;
/** How often what is listed is read again after a conflict, and how long before. */
const LOOKS = 20;
const PAUSE_MS = 250;

/** What was found, and what is to be done about it. */
export interface Found extends Branches {
  readonly out: OutFile;
  readonly plans: readonly Plan[];
}

export interface Progress {
  /** Of all steps, of this survey and of those before. */
  update(done: number, total: number): void;
}

/** A run that stopped: what it had done by then. */
export class Stopped extends Failure {
  readonly done: readonly Step[];

  constructor(message: string, done: readonly Step[], cause: unknown) {
    super(message, { cause });
    this.done = done;
  }
}

/**
 * Carries the steps out. Where Zitadel says that something is there already, its lists were behind: everything is read again, and what
 * is left is done. Returns what was done, the last survey, and what lists still did not show in the end; throws Stopped.
 */
export async function carryOut<T extends Found>(
  first: T,
  again: () => Promise<T>,
  progress: Progress,
): Promise<{ readonly done: readonly Step[]; readonly last: T; readonly unseen: readonly string[] }> {
  const done: Step[] = [];
  let survey = first;
  for (let look = 0; ; look++) {
    const conflict = await once(survey, done, progress);
    if (conflict === undefined) {
      return { done, last: survey, unseen: done.length > 0 ? await settled(again) : [] };
    }
    if (look === LOOKS) throw new Stopped(conflict.message, done, conflict);
    await pause(PAUSE_MS);
    survey = await again();
  }
}

/** Waits until lists show what was done, so that whoever looks next finds nothing left to do. Returns what they do not show. */
async function settled(again: () => Promise<Found>): Promise<readonly string[]> {
  for (let look = 1; ; look++) {
    const { branches, last } = await again();
    const left = [...branches.flat(), ...last];
    if (left.length === 0 || look === LOOKS || interruption().aborted) return left.map(({ what }) => what);
    await pause(PAUSE_MS);
  }
}

export function unseenNotes(unseen: readonly string[]): readonly string[] {
  return unseen.length === 0
    ? []
    : [`Zitadel took it and its lists do not show it: ${unseen.join(', ')}. Look again with --check`];
}

/** Returns the conflict that makes another survey necessary. */
async function once(
  { out, plans, branches, last }: Found,
  done: Step[],
  progress: Progress,
): Promise<Refused | undefined> {
  const before = done.length;
  const total = before + last.length + branches.flat().length;
  // An array, because what several branches share must not be narrowed.
  const failures: unknown[] = [];
  const perform = async (step: Step): Promise<void> => {
    if (failures.length > 0 || interruption().aborted) return;
    try {
      await step.run();
      done.push(step);
      progress.update(done.length, total);
    } catch (error) {
      failures.push(named(step, error));
    }
  };
  await out.begin(new Map(plans.flatMap(({ secrets }) => [...secrets])));
  for (const value of plans.flatMap(({ values }) => values)) await value(out);
  await Promise.all(branches.map((steps) => inOrder(steps, perform)));
  await inOrder(last, perform);
  const [failure] = failures;
  if (failure === undefined && done.length < total) throw new Stopped('interrupted', done, undefined);
  if (failure === undefined) return undefined;
  if (failure instanceof Refused && failure.status === 409) return failure;
  throw new Stopped(messageOf(failure), done, failure);
}

/** One step after another, neighbours of one group together. */
async function inOrder(steps: readonly Step[], perform: (step: Step) => Promise<void>): Promise<void> {
  for (let at = 0; at < steps.length;) {
    const group = steps[at]?.group;
    const end =
      group === undefined ? at + 1 : steps.findIndex((each, index) => index > at && each.group !== group);
    const together = steps.slice(at, Math.min(end === -1 ? steps.length : end, at + TOGETHER));
    await Promise.all(together.map(perform));
    at += together.length;
  }
}

/** Which step it was that was refused. */
function named({ what }: Step, error: unknown): unknown {
  if (error instanceof Refused) {
    const { status, id, unknownRoute } = error;
    return new Refused(`${what}: ${error.message}`, {
      outcome: 'refused',
      reason: error.message,
      status,
      id,
      unknownRoute,
    });
  }
  return error instanceof Failure ? new Failure(`${what}: ${error.message}`, { cause: error }) : error;
}
