import { createHmac } from 'node:crypto';
import type { StorableEvent } from '../../functions/webhooks/event.ts';
import { isUrgent } from '../../functions/webhooks/event.ts';
import { IGNORED, parseEvent } from '../../functions/webhooks/receive/parse.ts';
import { receive, type ReceiveDeps } from '../../functions/webhooks/receive/receive.ts';
import { MAX_OWN_BODY_BYTES, readBody } from '../../shared/edge/body.ts';
import { json, sql, type Sql } from '../../shared/ports/database.ts';
import { envelope, SIGNING_KEY } from './envelope.ts';
import type { LifecycleGround } from './ground.ts';
import { timed, type Side } from './race.ts';

/** Deliveries under way at once; the driver's pool is the same for both sides. */
const SENDERS = 16;

/** Signed deliveries through the product: signature, parsing, what must not be kept taken out, stored once. */
export function received(ground: LifecycleGround, count: number): Side {
  const deps = receiveDeps(ground);
  return within(ground, count, (subjects) =>
    bySenders(subjects.map(delivery), async (request) => {
      const sent = { headers: request.headers, body: () => readBody(request, MAX_OWN_BODY_BYTES) };
      const { status } = await receive(sent, 'event', deps);
      if (status !== 'accepted') throw new Error(`a delivery of the bench was ${status}`);
    }),
  );
}

/** A plain INSERT of the very same rows, which nobody had to verify, parse or compare. */
export function insertedBare(ground: LifecycleGround, count: number): Side {
  const { database, issuer, deps } = ground;
  return within(ground, count, (subjects) => {
    const events = subjects.map((subject) => {
      const event = parseEvent(envelope(subject, 'user.human.added'), issuer);
      if (event === IGNORED) throw new Error('an event of the bench is ignored');
      return event;
    });
    return bySenders(events, async (event) => {
      await database.execute(insertion(event, deps.random.uuid(), new Date(deps.clock.now())));
    });
  });
}

function insertion(event: StorableEvent, id: string, at: Date): Sql {
  if ('digest' in event.key) throw new Error('an event of the bench has no sequence');
  const { instanceId, sequence } = event.key;
  return sql`
    insert into sallyport_webhook_events (id, instance_id, subject, sequence, digest, position, type, source,
      organization, payload, occurred_at, received_at, urgent, due_at)
    values (${id}, ${instanceId}, ${event.subject}, ${sequence}, ${null}, ${sequence}, ${event.type},
      ${event.source}, ${event.organization}, ${json(event.payload)}, ${event.occurredAt}, ${at},
      ${isUrgent(event.kind)}, ${at})`;
}

function receiveDeps({ deps, database, issuer }: LifecycleGround): ReceiveDeps {
  const { clock, random, log } = deps;
  return {
    webhooks: { signingKeys: [SIGNING_KEY], sharedSecret: null },
    database,
    clock,
    random,
    log,
    zitadel: { config: issuer, keys: { find: () => [] } },
    count: () => undefined,
    nudge: () => undefined,
  };
}

function delivery(subject: string): Request {
  return signed(envelope(subject, 'user.human.added'));
}

export function signed(event: Readonly<Record<string, unknown>>): Request {
  const body = JSON.stringify(event);
  const time = Math.floor(Date.now() / 1000);
  const mac = createHmac('sha256', SIGNING_KEY).update(`${time}.${body}`).digest('hex');
  return new Request('http://127.0.0.1/webhooks/zitadel', {
    method: 'POST',
    headers: { 'zitadel-signature': `t=${time},v1=${mac}`, 'content-type': 'application/json' },
    body,
  });
}

/** Both begin with an empty inbox and open connections. */
function within(
  ground: LifecycleGround,
  count: number,
  work: (subjects: readonly string[]) => Promise<number>,
): Side {
  return async () => {
    const { deps, database } = ground;
    await database.execute(sql`truncate sallyport_webhook_events`);
    await Promise.all(Array.from({ length: SENDERS }, () => database.ping()));
    const ms = await work(Array.from({ length: count }, () => deps.random.uuid()));
    await database.execute(sql`truncate sallyport_webhook_events`);
    return ms;
  };
}

function bySenders<T>(all: readonly T[], send: (one: T) => Promise<void>): Promise<number> {
  const queue = all.values();
  const sender = async (): Promise<void> => {
    for (const one of queue) await send(one);
  };
  return timed(async () => {
    await Promise.all(Array.from({ length: SENDERS }, sender));
  });
}
