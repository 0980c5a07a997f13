import { createHmac } from 'node:crypto';
import { isUrgent, type StorableEvent } from '../../functions/webhooks/event.ts';
import { IGNORED, parseEvent } from '../../functions/webhooks/receive/parse.ts';
import { receive, type ReceiveDeps } from '../../functions/webhooks/receive/receive.ts';
import { MAX_OWN_BODY_BYTES, readBody } from '../../shared/edge/body.ts';
import { callerOf } from '../../shared/identity/subjects.ts';
import { json, sql, type Sql } from '../../shared/ports/database.ts';
import { SIGNING_KEY, type LifecycleGround } from './ground.ts';
import { timed, type Side } from './sides.ts';

/** Deliveries under way at once; the driver's pool is the same for both sides. */
const SENDERS = 16;
const POLICY = { name: 'bench', limit: 1_000_000, windowMs: 60_000 };
/** Far more than it takes: a bench that hangs says so. */
const MOST_MS = 60_000;

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

/** Milliseconds from the arrival of a suspension to the refusal of that user, of each of `count` users, one after the other. */
export async function refusals(
  { deps, database, issuer, webhooks }: LifecycleGround,
  count: number,
): Promise<number[]> {
  const route = webhooks.routes.find(({ path }) => path === '/webhooks/zitadel');
  if (route === undefined) throw new Error('the bench needs the route of deliveries');
  const refused = async (subject: string): Promise<boolean> =>
    (await deps.counters.take({ caller: callerOf(issuer, subject), policy: POLICY })).mark?.notBefore ===
    Infinity;
  const times: number[] = [];
  for (let number = 0; number < count; number++) {
    const subject = deps.random.uuid();
    const request = signed(envelope(subject, 'user.locked', 2));
    const began = performance.now();
    const { status } = await route.answer(request, {
      id: subject,
      address: '127.0.0.1',
      body: () => readBody(request, MAX_OWN_BODY_BYTES),
      setCookies: () => undefined,
    });
    if (status !== 202) throw new Error(`a suspension of the bench was answered with ${status}`);
    while (!(await refused(subject))) {
      if (performance.now() - began > MOST_MS) throw new Error('a suspension of the bench has no effect');
      await new Promise((resolve) => setImmediate(resolve));
    }
    times.push(performance.now() - began);
  }
  await database.execute(sql`truncate sallyport_webhook_events`);
  return times;
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
    zitadel: { issuer, keys: { find: () => [] } },
    count: () => undefined,
    nudge: () => undefined,
  };
}

function delivery(subject: string): Request {
  return signed(envelope(subject, 'user.human.added'));
}

function signed(event: Readonly<Record<string, unknown>>): Request {
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

/** A delivery of Actions v2 about a user, as the identity provider writes it. */
export function envelope(subject: string, type: string, sequence = 1): Record<string, unknown> {
  return {
    aggregateID: subject,
    aggregateType: 'user',
    resourceOwner: '280000000000000001',
    instanceID: '280000000000000000',
    version: 'v2',
    sequence,
    event_type: type,
    created_at: '2026-01-01T00:00:00.123456Z',
    userID: '280000000000000002',
    event_payload: {
      userName: `${subject}@example.org`,
      firstName: 'Given',
      lastName: 'Family',
      displayName: 'Given Family',
      preferredLanguage: 'en',
      email: `${subject}@example.org`,
      encodedHash: '$2a$14$WGt3PXYWWj8K8vGeM1gPXuZ5b8R5v1VZ1H8yqL4n5XhG4g3v3u6gS',
    },
  };
}
