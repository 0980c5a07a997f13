import { messageOf } from '../errors.ts';
import { inTime, type MaybePromise } from '../ports/runtime.ts';

/** `skipped`: what it is about is not set up. */
export type Status = 'green' | 'yellow' | 'red' | 'skipped';

/** What a check found. `next`: the command or the step that goes on; empty where there is none of its own. */
export interface Finding {
  readonly status: Status;
  /** Names and figures; never a secret. */
  readonly cause: string;
  readonly next: string;
}

export interface Result extends Finding {
  readonly name: string;
}

export interface Check<Name extends string = string> {
  readonly name: Name;
  /** A rejection is red, one with NotSetUp skipped, one with Stopped what it says. */
  run(): MaybePromise<Finding>;
}

/** What a check is about is not configured. */
export class NotSetUp extends Error {
  override readonly name = 'NotSetUp';
  /** How it is set up. */
  readonly next: string;

  constructor(cause: string, next = '') {
    super(cause);
    this.next = next;
  }
}

/** A finding that a check cannot go on from. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
  readonly finding: Finding;

  constructor(finding: Finding) {
    super(finding.cause);
    this.finding = finding;
  }
}

const finding =
  (status: Status) =>
  (cause: string, next = ''): Finding => ({ status, cause, next });

export const green = finding('green');
export const yellow = finding('yellow');
export const red = finding('red');
export const skipped = finding('skipped');

const ORDER: readonly Status[] = ['red', 'yellow', 'green', 'skipped'];

/** One finding for several of the same kind: the worst of them, with the causes of all that share its status. Skipped without any. */
export function worst(findings: readonly Finding[], none: string): Finding {
  const status = ORDER.find((each) => findings.some((found) => found.status === each)) ?? 'skipped';
  const same = findings.filter((found) => found.status === status);
  const next = same.map((found) => found.next).find((each) => each !== '') ?? '';
  const cause = [...new Set(same.map((found) => found.cause))].join('; ');
  return { status, cause: findings.length === 0 ? none : cause, next };
}

/** Runs all at once: each answers within `withinMs`, and none waits for another or hides it. */
export function runChecks(checks: readonly Check[], withinMs: number): Promise<Result[]> {
  return Promise.all(
    checks.map(async (check) => ({ name: check.name, ...(await foundBy(check, withinMs)) })),
  );
}

async function foundBy(check: Check, withinMs: number): Promise<Finding> {
  const begun = Promise.resolve().then(() => check.run());
  try {
    return await inTime(withinMs, begun, () => red(`no answer within ${Math.round(withinMs / 1_000)} s`));
  } catch (error) {
    if (error instanceof NotSetUp) return skipped(error.message, error.next);
    if (error instanceof Stopped) return error.finding;
    return red(messageOf(error));
  }
}
