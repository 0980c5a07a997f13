import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { withAdmin } from '../services/redis-time.ts';
import { startRedis } from '../services/redis.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { inProcess } from '../support/gateway/in-process.ts';
import { node } from '../support/gateway/node.ts';
import type { RunningGateway } from '../support/gateway/runtime.ts';
import { expectRefusal } from '../support/refusal.ts';
import { openWorld, type World } from '../support/world.ts';
import { signature } from './sign.ts';
import { envelope, type EnvelopeOptions } from './events.ts';

const KEY = 'signing-key-of-this-test';
const ORGANIZATION_CLAIM = 'urn:zitadel:iam:user:resourceowner:id';
const Status = z.object({ status: z.string() });
const redis = await startRedis();
afterAll(() => redis?.close());

let db: MigratedDatabase;
let world: World;
beforeAll(async () => {
  [db, world] = await Promise.all([DATABASE.start(), openWorld()]);
});
afterAll(async () => {
  await world.close();
  await db.close();
});

const variables = () => ({ ...world.variables, DATABASE_URL: db.url, WEBHOOK_SIGNING_KEYS: KEY });

/** Far above what anything takes: only what never happens gets there. */
const WAIT = { timeout: 600_000, interval: 20 };

async function deliver(gateway: RunningGateway, event: EnvelopeOptions, at = new Date().toISOString()) {
  const body = JSON.stringify({ ...envelope(event), created_at: at });
  const headers = { 'zitadel-signature': signature(KEY, body) };
  const answer = await gateway.fetch('/webhooks/zitadel', { method: 'POST', headers, body });
  expect(answer.status).toBe(202);
}

/** Delivers one event and waits until it is applied. */
async function happen(gateway: RunningGateway, event: EnvelopeOptions, at?: string): Promise<void> {
  await deliver(gateway, event, at);
  const pending = sql`select status from sallyport_webhook_events where status <> 'applied'`;
  await vi.waitUntil(async () => (await db.database.query(pending, Status)).length === 0, {
    ...WAIT,
  });
}

describe.skipIf(redis === undefined)('two gateways on one Redis (needs redis-server)', () => {
  let told: RunningGateway;
  let other: RunningGateway;
  beforeAll(async () => {
    const shared = { ...variables(), REDIS_URL: redis!.url };
    [told, other] = await Promise.all([node.start(shared), node.start(shared)]);
  });
  afterAll(() => Promise.all([told.close(), other.close()]));

  const scripts = async (): Promise<number> => {
    const info = await withAdmin(redis!.url, (admin) => admin.sendCommand(['INFO', 'commandstats']));
    const counted = JSON.stringify(info).matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g);
    return Array.from(counted, ([, calls]) => Number(calls)).reduce((sum, calls) => sum + calls, 0);
  };

  const statusAt = async (gateway: RunningGateway, authorization: string): Promise<number> =>
    (await gateway.fetch('/me', { headers: { authorization } })).status;
  const refusedAt = (gateway: RunningGateway, authorization: string): Promise<void> =>
    vi.waitUntil(async () => (await statusAt(gateway, authorization)) === 401, WAIT).then(() => undefined);
  const command = (...parts: string[]) => withAdmin(redis!.url, (admin) => admin.sendCommand(parts));
  /** A store that was filled has a name; a request of its own would hide that somebody else saw to it. */
  const filled = () =>
    vi.waitUntil(async () => Number(await command('EXISTS', 'sallyport:store')) === 1, WAIT);

  it('a suspension told to one is the 401 of the very next request at the other', async () => {
    const authorization = await world.bearer({ sub: 'dora' });
    const again = () => other.fetch('/me', { headers: { authorization } });
    expect((await again()).status).toBe(200);
    await happen(told, { user: 'dora', sequence: 1, type: 'user.deactivated' });
    await expectRefusal(await again(), 'invalid_token');
  });

  it('who is back needs a new token: those from before the suspension are dead at both', async () => {
    const before = await world.bearer({ sub: 'dana' });
    await happen(told, { user: 'dana', sequence: 1, type: 'user.deactivated' });
    await happen(told, { user: 'dana', sequence: 2, type: 'user.reactivated' });
    const after = await world.bearer({ sub: 'dana', iat: Math.floor(Date.now() / 1000) + 1 });
    const undated = await world.bearer({ sub: 'dana', iat: undefined });
    for (const gateway of [told, other]) {
      expect(await statusAt(gateway, before)).toBe(401);
      expect(await statusAt(gateway, undated)).toBe(401);
      expect(await statusAt(gateway, after)).toBe(200);
    }
  });

  it('an event that comes late takes nothing from who signed in after it', async () => {
    const authorization = await world.bearer({ sub: 'dolly', iat: Math.floor(Date.now() / 1000) - 60 });
    const at = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1000).toISOString();
    await happen(told, { user: 'dolly', sequence: 1, type: 'user.locked' }, at(120));
    await happen(told, { user: 'dolly', sequence: 2, type: 'user.unlocked' }, at(90));
    expect(await statusAt(other, authorization)).toBe(200);
  });

  it('hear of it with the one command that a request costs anyway', async () => {
    const authorization = await world.bearer({ sub: 'emil' });
    const again = () => other.fetch('/me', { headers: { authorization } });
    await again();
    await happen(told, { user: 'emil', sequence: 1, type: 'user.locked' });
    const before = await scripts();
    for (let n = 0; n < 10; n++) expect((await again()).status).toBe(401);
    expect((await scripts()) - before).toBe(10);
  });

  it('everybody whose token names a removed organisation is refused at both, also whom no event told of', async () => {
    const named = await world.bearer({ sub: 'olga', [ORGANIZATION_CLAIM]: 'gone' });
    const unheard = await world.bearer({ sub: 'otto', [ORGANIZATION_CLAIM]: 'gone' });
    const elsewhere = await world.bearer({ sub: 'orla', [ORGANIZATION_CLAIM]: 'stays' });
    expect(await statusAt(other, named)).toBe(200);
    await happen(told, { user: 'gone', organization: 'gone', sequence: 9, type: 'org.removed' });
    const before = await scripts();
    for (const gateway of [told, other])
      for (const token of [named, unheard]) expect(await statusAt(gateway, token)).toBe(401);
    expect((await scripts()) - before).toBe(4);
    expect(await statusAt(other, elsewhere)).toBe(200);
    await filled();
    await command('FLUSHALL');
    expect(await statusAt(other, named)).toBe(401);
    await filled();
    const late = await world.bearer({ sub: 'odin', [ORGANIZATION_CLAIM]: 'gone' });
    for (const gateway of [told, other]) expect(await statusAt(gateway, late)).toBe(401);
  });

  it('FLUSHALL gives nobody back, known to an instance or not, and not for long to one that asks first', async () => {
    const [seen, unseen, back] = await Promise.all(
      ['flora', 'fanny', 'fred'].map((sub) => world.bearer({ sub })),
    );
    await happen(told, { user: 'flora', sequence: 1, type: 'user.deactivated' });
    await happen(told, { user: 'fanny', sequence: 1, type: 'user.removed' });
    await happen(told, { user: 'fred', sequence: 1, type: 'user.deactivated' });
    await happen(told, { user: 'fred', sequence: 2, type: 'user.reactivated' });
    expect(await statusAt(other, seen!)).toBe(401);
    await filled();
    await command('FLUSHALL');
    expect(await statusAt(other, seen!)).toBe(401);
    expect(await statusAt(told, seen!)).toBe(401);
    // Nobody asks: an instance looks by itself.
    await filled();
    expect(await statusAt(other, unseen!)).toBe(401);
    expect(await statusAt(other, back!)).toBe(401);
  });

  it('nor does a Redis that was killed and restarted empty', async () => {
    const [seen, unseen] = await Promise.all(['kira', 'kora'].map((sub) => world.bearer({ sub })));
    await happen(told, { user: 'kira', sequence: 1, type: 'user.deactivated' });
    await happen(told, { user: 'kora', sequence: 1, type: 'user.deactivated' });
    expect(await statusAt(other, seen!)).toBe(401);
    await redis!.kill();
    expect(await statusAt(other, seen!)).toBe(401);
    // Without a store the database says who is withdrawn.
    await refusedAt(other, unseen!);
    await redis!.start();
    expect(await statusAt(other, seen!)).toBe(401);
    await filled();
    for (const gateway of [told, other])
      for (const token of [seen!, unseen!]) expect(await statusAt(gateway, token)).toBe(401);
  });

  it('a suspension told while Redis is dead holds at both, and goes on to hold when it is back', async () => {
    const authorization = await world.bearer({ sub: 'lena' });
    expect(await statusAt(other, authorization)).toBe(200);
    await redis!.kill();
    await deliver(told, { user: 'lena', sequence: 1, type: 'user.deactivated' });
    await refusedAt(told, authorization);
    await refusedAt(other, authorization);
    await redis!.start();
    for (let n = 0; n < 50; n++)
      for (const gateway of [told, other]) expect(await statusAt(gateway, authorization)).toBe(401);
    await filled();
    for (const gateway of [told, other]) expect(await statusAt(gateway, authorization)).toBe(401);
  });

  it('an instance that starts on an empty store has filled it before it serves', async () => {
    const authorization = await world.bearer({ sub: 'nora' });
    await happen(told, { user: 'nora', sequence: 1, type: 'user.deactivated' });
    await command('FLUSHALL');
    const fresh = await node.start({ ...variables(), REDIS_URL: redis!.url });
    expect(await statusAt(fresh, authorization)).toBe(401);
    await fresh.close();
  });

  it('an instance that starts while there is no store has read who is withdrawn before it serves', async () => {
    const authorization = await world.bearer({ sub: 'nina' });
    await happen(told, { user: 'nina', sequence: 1, type: 'user.deactivated' });
    await redis!.kill();
    const fresh = await node.start({ ...variables(), REDIS_URL: redis!.url });
    expect(await statusAt(fresh, authorization)).toBe(401);
    await redis!.start();
    await fresh.close();
  });
});

describe('one gateway that counts in its own memory', () => {
  it('refuses a suspended user from its next request on, and lets one who is back in with a new token', async () => {
    const gateway = await inProcess.start(variables());
    const authorization = await world.bearer({ sub: 'frieda' });
    const again = () => gateway.fetch('/me', { headers: { authorization } });
    expect((await again()).status).toBe(200);
    await happen(gateway, { user: 'frieda', sequence: 1, type: 'user.deactivated' });
    await expectRefusal(await again(), 'invalid_token');
    await happen(gateway, { user: 'frieda', sequence: 2, type: 'user.reactivated' });
    await expectRefusal(await again(), 'invalid_token');
    const fresh = await world.bearer({ sub: 'frieda', iat: Math.floor(Date.now() / 1000) + 1 });
    expect((await gateway.fetch('/me', { headers: { authorization: fresh } })).status).toBe(200);
    await gateway.close();
  });

  it('knows after a restart whom it has refused before', async () => {
    const authorization = await world.bearer({ sub: 'fiona' });
    const unheard = await world.bearer({ sub: 'frank', [ORGANIZATION_CLAIM]: 'closed' });
    const first = await node.start(variables());
    await happen(first, { user: 'closed', organization: 'closed', sequence: 1, type: 'org.removed' });
    const refused = await first.fetch('/me', { headers: { authorization: unheard } });
    await expectRefusal(refused, 'invalid_token');
    await happen(first, { user: 'fiona', sequence: 1, type: 'user.deactivated' });
    await first.close();
    const second = await node.start(variables());
    for (const token of [authorization, unheard])
      await expectRefusal(await second.fetch('/me', { headers: { authorization: token } }), 'invalid_token');
    await second.close();
  });
});
