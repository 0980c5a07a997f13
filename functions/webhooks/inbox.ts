import * as z from 'zod';
import { json, sql, type Database, type Sql } from '../../shared/database.ts';
import type { Clock, Random } from '../../shared/ports.ts';
import type { EventKey, StorableEvent } from './event.ts';
import { isUrgent } from './kinds.ts';

export interface InboxDeps {
  readonly database: Pick<Database, 'query'>;
  readonly clock: Clock;
  readonly random: Pick<Random, 'uuid'>;
}

export interface Receipt {
  readonly id: string;
  readonly status: 'pending' | 'applied' | 'dead';
  /** False for a duplicate: the id is that of the event as it came first. */
  readonly fresh: boolean;
}

const ReceiptRow = z.object({
  id: z.string(),
  status: z.enum(['pending', 'applied', 'dead']),
  fresh: z.boolean(),
});

/** Below every sequence of a provider; with milliseconds added still a safe integer. */
const ARRIVALS_START = -9_000_000_000_000_000;

/** Stores an event unless it is there already. Throws as `Database`; after a failure it may be stored or not: send it again. */
export async function insertEvent(event: StorableEvent, deps: InboxDeps): Promise<Receipt> {
  const [stored] = await deps.database.query(insertion(event, deps), ReceiptRow);
  if (stored !== undefined) return stored;
  // The insert has waited for whoever was storing the same event: by now it is committed, and a new statement sees it.
  const [known] = await deps.database.query(lookup(event.key, event.subject), ReceiptRow);
  if (known === undefined) throw new Error('an event was neither stored nor there');
  return known;
}

function insertion(event: StorableEvent, { clock, random }: InboxDeps): Sql {
  const { key, subject, kind } = event;
  const now = clock.now();
  const at = new Date(now);
  const [instanceId, sequence, digest] =
    'digest' in key ? ['', null, key.digest] : [key.instanceId, key.sequence, null];
  return sql`
    insert into sallyport_webhook_events (id, instance_id, subject, sequence, digest, position, type, source,
      organization, payload, occurred_at, received_at, urgent, due_at)
    values (${random.uuid()}, ${instanceId}, ${subject}, ${sequence}, ${digest}, ${sequence ?? ARRIVALS_START + now},
      ${event.type}, ${event.source}, ${event.organization}, ${json(event.payload)}, ${event.occurredAt}, ${at},
      ${isUrgent(kind)}, ${at})
    on conflict do nothing
    returning id, status, true as fresh`;
}

function lookup(key: EventKey, subject: string): Sql {
  const same =
    'digest' in key
      ? sql`digest = ${key.digest}`
      : sql`instance_id = ${key.instanceId} and subject = ${subject} and sequence = ${key.sequence}`;
  return sql`select id, status, false as fresh from sallyport_webhook_events where ${same}`;
}
