import { InputRefused, Unavailable } from '../../../shared/errors.ts';
import { DatabaseError } from '../../../shared/ports/database.ts';
import type { Log } from '../../../shared/ports/log.ts';
import type { FailedAttempt, Outcome as QueueOutcome, Queue } from '../../../shared/runs/queue.ts';
import type { QueuedEvent } from '../inbox/table.ts';
import type { ApplyEvent } from './effects.ts';

export type Outcome = 'applied' | Exclude<QueueOutcome, 'done'>;

export interface ApplyDeps {
  readonly queue: Queue<QueuedEvent>;
  readonly applyEvent: ApplyEvent;
  readonly log: Log;
  readonly count: (outcome: Outcome) => void;
}

export type Applied = Readonly<Record<Outcome, number>>;

/** Users whose events one run applies concurrently. */
const PARALLEL = 8;

/** Applies up to `limit` due events, in order per user. Throws as `Database`; claimed events are then retried. */
export async function applyDue(
  limit: number,
  { queue, applyEvent, log, count }: ApplyDeps,
): Promise<Applied> {
  const { done: applied, ...others } = await queue.workOff(limit, {
    parallel: PARALLEL,
    work: applyEvent,
    isFinal,
    failed: (failure) => explain(failure, log),
    ended: (outcome) => {
      count(outcome === 'done' ? 'applied' : outcome);
    },
  });
  return { applied, ...others };
}

function explain({ item, error, attempt, dead }: FailedAttempt<QueuedEvent>, log: Log): string {
  const reason = reasonOf(error);
  const fields = { event: item.id, type: item.type, attempt, reason };
  if (dead) log.error('webhook event set aside', fields);
  else log.warn('webhook event failed, it comes again', fields);
  return withDetails(reason, error);
}

/** A retry does not help: later events of the user proceed, and this one is left to the operator. */
function isFinal(error: unknown): boolean {
  return error instanceof InputRefused || (error instanceof DatabaseError && error.fault === 'statement');
}

/** Only messages of our own errors are certain to hold no data. */
function reasonOf(error: unknown): string {
  if (error instanceof Unavailable || error instanceof DatabaseError) return error.message;
  return error instanceof Error ? error.name : 'unknown';
}

const MOST_DETAILS = 1_000;

/** OpenFGA's message names a tuple of this user: stored with the event, never logged. */
function withDetails(reason: string, error: unknown): string {
  const cause = error instanceof InputRefused && error.cause instanceof Error ? error.cause.message : '';
  return cause === '' ? reason : `${reason}: ${cause}`.slice(0, MOST_DETAILS);
}
