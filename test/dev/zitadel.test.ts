import { createHmac } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { startZitadel, type Zitadel, type ZitadelOptions } from '../../dev/zitadel/index.ts';
import { serve, type Served } from '../support/serve.ts';

const Body = z.object({
  aggregateID: z.string(),
  instanceID: z.string(),
  sequence: z.number(),
  event_type: z.string(),
  event_payload: z.record(z.string(), z.unknown()).optional(),
});
type Body = z.infer<typeof Body>;

const KEY = 'target-signing-key';
const START = Date.UTC(2030, 0, 1, 12);

let received: { readonly body: Body; readonly raw: string; readonly signature: string }[] = [];
let target: Served;
let zitadel: Zitadel;
beforeAll(async () => {
  target = await serve(0, async (request) => {
    const raw = await request.text();
    const signature = request.headers.get('zitadel-signature') ?? '';
    received.push({ raw, signature, body: Body.parse(JSON.parse(raw)) });
    return new Response(null, { status: 202 });
  });
});
afterAll(() => target.close());
afterEach(async () => {
  received = [];
  await zitadel.close();
});

/** Each look at the clock is a second later. */
async function start(options: ZitadelOptions = {}): Promise<void> {
  let time = START;
  const clock = { now: () => (time += 1_000) };
  zitadel = await startZitadel({ clock, target: { url: target.url, signingKey: KEY }, ...options });
}

const call = (path: string, init: RequestInit = {}) =>
  fetch(zitadel.url + path, {
    ...init,
    headers: {
      authorization: `Bearer ${zitadel.token}`,
      'content-type': 'application/json',
      ...(init.headers as Record<string, string> | undefined),
    },
  });

async function search(query: object): Promise<readonly string[]> {
  const answer = await call('/admin/v1/events/_search', { method: 'POST', body: JSON.stringify(query) });
  const { events } = z
    .object({
      events: z.array(z.object({ sequence: z.string(), type: z.object({ type: z.string() }) })).default([]),
    })
    .parse(await answer.json());
  return events.map(({ sequence, type }) => `${sequence} ${type.type}`);
}

describe('the stand-in for Zitadel', () => {
  it('delivers each event of a user once and in order, signed over the raw body', async () => {
    await start();
    const { id } = zitadel.users.create({ userName: 'alice' });
    zitadel.users.rename(id, 'alicia');
    zitadel.users.remove(id);
    await zitadel.deliveries.settled();
    expect(received.map(({ body }) => [body.sequence, body.event_type])).toEqual([
      [1, 'user.human.added'],
      [2, 'user.human.email.verified'],
      [3, 'user.username.changed'],
      [4, 'user.removed'],
    ]);
    for (const { raw, signature } of received) {
      const [, time = ''] = /^t=(\d+),v1=[0-9a-f]{64}$/.exec(signature) ?? [];
      const mac = createHmac('sha256', KEY).update(`${time}.${raw}`).digest('hex');
      expect(signature).toBe(`t=${time},v1=${mac}`);
    }
  });

  it('loses, doubles and delays deliveries as its seed says, and the same again for the same seed', async () => {
    const arrivals = async (seed: number) => {
      received = [];
      await start({ seed });
      for (let number = 0; number < 20; number++) zitadel.users.selfRegister({ userName: `user${number}` });
      await zitadel.deliveries.settled();
      const early = received.length;
      await zitadel.deliveries.flush();
      return { early, all: received.map(({ body }) => `${body.aggregateID} ${body.sequence}`) };
    };
    const first = await arrivals(7);
    await zitadel.close();
    expect(new Set(first.all).size).toBeLessThan(40);
    expect(new Set(first.all).size).toBeLessThan(first.all.length);
    expect(first.early).toBeLessThan(first.all.length);
    const again = await arrivals(7);
    await zitadel.close();
    expect(again).toEqual(first);
    expect(await arrivals(8)).not.toEqual(first);
  });

  it('keeps what happened, and delivers nothing, of a user whose deliveries are lost', async () => {
    await start();
    await call('/v2/users/new', {
      method: 'POST',
      headers: { 'x-demo-delivery': 'lost' },
      body: JSON.stringify({ userId: 'erin', human: { email: { email: 'erin@example.org' } } }),
    });
    zitadel.users.create({ userName: 'alice', id: 'alice' });
    await zitadel.deliveries.settled();
    expect(received.map(({ body }) => body.aggregateID)).toEqual(['alice', 'alice']);
    expect(await search({ aggregateId: 'erin' })).toHaveLength(2);
  });

  it('searches events as it is asked, and shows them to nobody without the token', async () => {
    await start({ target: undefined });
    const { id } = zitadel.users.create({ userName: 'alice' });
    zitadel.users.lock(id);
    const bob = zitadel.users.create({ userName: 'bob' });
    expect(await search({ aggregateTypes: ['user'] })).toEqual([
      '2 user.human.email.verified',
      '1 user.human.added',
      '3 user.locked',
      '2 user.human.email.verified',
      '1 user.human.added',
    ]);
    expect(await search({ asc: true, limit: 1 })).toEqual(['1 user.human.added']);
    expect(await search({ aggregateId: bob.id, asc: true, sequence: '1' })).toEqual([
      '2 user.human.email.verified',
    ]);
    expect(await search({ eventTypes: ['user.locked'] })).toEqual(['3 user.locked']);
    const [first, second, third] = zitadel.users.get(id).events;
    expect(second!.creationDate).toBe(first!.creationDate);
    const from = first!.creationDate;
    expect(await search({ asc: true, from, aggregateId: id })).toEqual(['3 user.locked']);
    expect(await search({ range: { until: from } })).toEqual([]);
    expect(await search({ asc: true, range: { since: from, until: third!.creationDate } })).toEqual([]);
    expect(await search({ asc: true, range: { until: third!.creationDate } })).toEqual([
      '1 user.human.added',
      '2 user.human.email.verified',
    ]);
    const refused = await fetch(`${zitadel.url}/admin/v1/events/_search`, { method: 'POST', body: '{}' });
    expect(refused.status).toBe(401);
  });

  it('takes the commands of its API and answers for users as they are', async () => {
    await start({ target: undefined });
    const human = { email: { email: 'ada@example.org' } };
    const made = await call('/v2/users/new', {
      method: 'POST',
      body: JSON.stringify({ userId: 'ada', username: 'ada', human }),
    });
    expect(made.status).toBe(200);
    await call('/v2/users/ada', {
      method: 'PATCH',
      body: JSON.stringify({ username: 'lovelace', human: {} }),
    });
    await call('/v2/users/ada/deactivate', { method: 'POST' });
    expect(await (await call('/v2/users/ada')).json()).toMatchObject({
      details: { sequence: '4' },
      user: { userId: 'ada', state: 'USER_STATE_INACTIVE', username: 'lovelace', human },
    });
    expect((await call('/v2/users/ada/unlock', { method: 'POST' })).status).toBe(400);
    expect((await call('/v2/users/ada', { method: 'DELETE' })).status).toBe(200);
    expect((await call('/v2/users/ada')).status).toBe(404);
    expect((await call('/v2/users/ada', { method: 'DELETE' })).status).toBe(404);
  });

  it('answers a command after the target has applied its events, where it can find out', async () => {
    const order: string[] = [];
    await start({
      applied: (userId) => {
        order.push(`${received.length} delivered, ${userId} applied`);
        return Promise.resolve();
      },
    });
    const before = received.length;
    const human = { email: { email: 'ada@example.org' } };
    await call('/v2/users/new', { method: 'POST', body: JSON.stringify({ userId: 'ada', human }) });
    await call('/v2/users/ada/deactivate', { method: 'POST' });
    await call('/v2/users/ada');
    await call('/v2/users/ada', { method: 'DELETE' });
    await call('/v2/users/ada', { method: 'DELETE' });
    expect(order).toEqual([2, 3, 4].map((events) => `${before + events} delivered, ada applied`));
  });
});
