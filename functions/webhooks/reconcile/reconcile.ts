import type { Issuer } from '../../../shared/identity/subjects.ts';
import type { Database } from '../../../shared/ports/database.ts';
import { Refusal } from '../../../shared/errors.ts';
import type { Clock, Fetch, Random } from '../../../shared/ports/runtime.ts';
import type { Log } from '../../../shared/ports/log.ts';
import { INCREDIBLE, insertEvent } from '../inbox/table.ts';
import type { StorableEvent } from '../event.ts';
import { IGNORED, malformed, parseEvent } from '../receive/parse.ts';
import { stretchesSince, type Stretch } from './zitadel-events.ts';
import { advanceCursor, notInInbox, OVERLAP_MS, presentOf, readCursor, readPrunedUntil } from './store.ts';
import { openEventSource, type ListedEvent } from './zitadel-events.ts';

export interface ReconcileDeps {
  readonly api: { readonly url: string; readonly token: string };
  readonly issuer: Issuer;
  readonly fetch: Fetch;
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Pick<Random, 'uuid'>;
  readonly log: Log;
}

export interface ReconcileOptions {
  /** Undefined: from where the last such run ended; before the first, an hour ago. */
  readonly since?: Date | undefined;
  /** Only reports missed events. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/** An event whose delivery did not arrive, or not yet. */
export interface Missed {
  readonly subject: string;
  readonly sequence: number;
  readonly type: string;
  readonly createdAt: string | null;
}

export interface Reconciled {
  readonly since: Date;
  /** Events compared with the inbox. */
  readonly compared: number;
  readonly missed: readonly Missed[];
  /** Missed, and malformed for storage; named in the log. */
  readonly unusable: number;
  /** False when aborted: the next run continues from there. */
  readonly complete: boolean;
}

const FIRST_LOOK_MS = 3_600_000;

/** Whether events of that time were applied is no longer recorded: applying them again could give access back. */
export class AlreadyPruned extends Error {
  override readonly name = 'AlreadyPruned';

  constructor(until: Date) {
    super(`events of before ${until.toISOString()} are pruned from the inbox: reconcile from then on`);
  }
}

/**
 * Zitadel does not retry a delivery: reads its events and stores those missing from the inbox, as deliveries are stored.
 * Throws ProviderUnavailable, AlreadyPruned, or as `Database`; a repeat continues from the last whole page.
 */
export async function reconcile(deps: ReconcileDeps, options: ReconcileOptions): Promise<Reconciled> {
  const { database, clock } = deps;
  const { dryRun, signal } = options;
  const source = await openEventSource({ ...deps.api, fetch: deps.fetch });
  const since = options.since ?? (await startOf(database, source.instanceId, clock));
  const pruned = await readPrunedUntil(database, source.instanceId);
  if (pruned !== undefined && since < pruned) throw new AlreadyPruned(pruned);
  const missed: Missed[] = [];
  let [compared, unusable] = [0, 0];
  for await (const stretch of stretchesSince(source, since, await presentOf(database), signal)) {
    const events = usable(stretch.events, deps);
    compared += stretch.events.length;
    unusable += stretch.events.length - events.length;
    for (const event of await notInInbox(database, source.instanceId, events)) {
      if (!dryRun) await store(event, deps);
      missed.push(asMissed(event));
    }
    // A run over a chosen time proves nothing about earlier events.
    if (!dryRun && options.since === undefined) await advance(stretch, events, source.instanceId, database);
  }
  return { since, compared, missed, unusable, complete: !signal.aborted };
}

/** To the newest event not dated ahead: events between it and the present may still be committed. */
async function advance(
  { until }: Stretch,
  events: readonly StorableEvent[],
  instanceId: string,
  database: Database,
): Promise<void> {
  const dates = events.flatMap(({ occurredAt }) =>
    occurredAt === null || occurredAt > until ? [] : [occurredAt.getTime()],
  );
  if (dates.length > 0) await advanceCursor(database, instanceId, new Date(Math.max(...dates)));
}

async function startOf(database: Database, instanceId: string, clock: Clock): Promise<Date> {
  const cursor = await readCursor(database, instanceId);
  return new Date(cursor === undefined ? clock.now() - FIRST_LOOK_MS : cursor.getTime() - OVERLAP_MS);
}

/** One malformed event must not block the others. */
function usable(events: readonly ListedEvent[], { issuer, log }: ReconcileDeps): readonly StorableEvent[] {
  return events.flatMap((event) => {
    try {
      const parsed = parseEvent(event, issuer, 'reconcile');
      if (parsed !== IGNORED) return [parsed];
      throw malformed('nothing handles its type');
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      log.warn('event cannot be stored', { reason: error.detail, ...named(event) });
      return [];
    }
  });
}

async function store(event: StorableEvent, deps: ReconcileDeps): Promise<void> {
  const { id, status } = await insertEvent(event, deps);
  if (status === 'dead')
    deps.log.error('webhook event set aside', { event: id, type: event.type, reason: INCREDIBLE });
}

/** Fields that identify the event at Zitadel, where well-formed. */
function named({ sequence, event_type: type }: ListedEvent): Readonly<Record<string, string>> {
  return {
    ...(typeof sequence === 'string' && { sequence: sequence.slice(0, 20) }),
    ...(typeof type === 'string' && { type: type.slice(0, 200) }),
  };
}

function asMissed({ subject, key, type, occurredAt }: StorableEvent): Missed {
  return {
    subject,
    sequence: 'sequence' in key ? key.sequence : 0,
    type,
    createdAt: occurredAt?.toISOString() ?? null,
  };
}
