import {
  CountersUnavailable,
  ProviderUnavailable,
  InputRefused,
  RelationsUnavailable,
} from '../../../shared/errors.ts';
import { DatabaseError, DatabaseUnavailable, type Database } from '../../../shared/ports/database.ts';
import type { Clock, Random } from '../../../shared/ports/runtime.ts';
import type { Log } from '../../../shared/ports/log.ts';
import { backOffMs, MOST_ATTEMPTS } from '../inbox/queue.ts';
import type { ApplyEvent } from './effects.ts';
import { claim, fail, finish, LEASE_MS, type Lease, type QueuedEvent } from '../inbox/queue.ts';

export type Outcome = 'applied' | 'failed' | 'dead' | 'taken_over';

export interface ApplyDeps {
  readonly database: Pick<Database, 'query' | 'execute'>;
  readonly applyEvent: ApplyEvent;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly count: (outcome: Outcome) => void;
  readonly mostAttempts?: number;
}

export type Applied = Readonly<Record<Outcome, number>>;

/** Users whose events one run applies concurrently. */
const PARALLEL = 8;

/** Applies up to `limit` due events, in order per user. Throws as `Database`; claimed events are then retried. */
export async function applyDue(limit: number, deps: ApplyDeps): Promise<Applied> {
  const applied = { applied: 0, failed: 0, dead: 0, taken_over: 0 };
  for (let left = limit; left > 0;) {
    const nowMs = deps.clock.now();
    const lease = { id: deps.random.uuid(), untilMs: nowMs + LEASE_MS };
    const events = await claim(deps.database, lease, nowMs, Math.min(left, PARALLEL));
    if (events.length === 0) break;
    left -= events.length;
    for (const outcome of await Promise.all(events.map((event) => applyOne(event, lease, deps)))) {
      applied[outcome] += 1;
      deps.count(outcome);
    }
  }
  return applied;
}

async function applyOne(event: QueuedEvent, lease: Lease, deps: ApplyDeps): Promise<Outcome> {
  try {
    await deps.applyEvent(event);
  } catch (error) {
    return giveBack(event, lease, error, deps);
  }
  const kept = await finish(deps.database, event.id, lease, deps.clock.now());
  return kept ? 'applied' : 'taken_over';
}

async function giveBack(event: QueuedEvent, lease: Lease, error: unknown, deps: ApplyDeps): Promise<Outcome> {
  const failures = event.attempts + 1;
  const dead = isFinal(error) || failures >= (deps.mostAttempts ?? MOST_ATTEMPTS);
  const retryAtMs = dead ? null : deps.clock.now() + backOffMs(failures, deps.random);
  const reason = reasonOf(error);
  const fields = { event: event.id, type: event.type, attempt: failures, reason };
  if (dead) deps.log.error('webhook event set aside', fields);
  else deps.log.warn('webhook event failed, it comes again', fields);
  await fail(deps.database, event.id, lease, { reason: withDetails(reason, error), retryAtMs });
  return dead ? 'dead' : 'failed';
}

/** A retry does not help: later events of the user proceed, and this one is left to the operator. */
function isFinal(error: unknown): boolean {
  return error instanceof InputRefused || (error instanceof DatabaseError && error.fault === 'statement');
}

/** Only messages of our own errors are certain to hold no data. */
function reasonOf(error: unknown): string {
  const isOurs =
    error instanceof RelationsUnavailable ||
    error instanceof CountersUnavailable ||
    error instanceof ProviderUnavailable ||
    error instanceof DatabaseUnavailable ||
    error instanceof DatabaseError;
  if (isOurs) return error.message;
  return error instanceof Error ? error.name : 'unknown';
}

const MOST_DETAILS = 1_000;

/** OpenFGA's message names a tuple of this user: stored with the event, never logged. */
function withDetails(reason: string, error: unknown): string {
  const cause = error instanceof InputRefused && error.cause instanceof Error ? error.cause.message : '';
  return cause === '' ? reason : `${reason}: ${cause}`.slice(0, MOST_DETAILS);
}
