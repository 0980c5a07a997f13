import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { sql } from '../../shared/database.ts';
import { withAdmin } from '../services/redis-time.ts';
import { startRedis } from '../services/redis.ts';
import { inProcess } from '../support/gateway/in-process.ts';
import { node } from '../support/gateway/node.ts';
import type { RunningGateway } from '../support/gateway/runtime.ts';
import { expectRefusal } from '../support/refusal.ts';
import { openWorld, type World } from '../support/world.ts';
import { signature } from './sign.ts';
import { DATABASES, envelope, type EnvelopeOptions, type TestDatabase } from './support.ts';

const KEY = 'signing-key-of-this-test';
const Status = z.object({ status: z.string() });
const redis = await startRedis();
afterAll(() => redis?.close());

let db: TestDatabase;
let world: World;
beforeAll(async () => {
  [db, world] = await Promise.all([DATABASES[0].open(), openWorld()]);
});
afterAll(async () => {
  await world.close();
  await db.close();
});

const variables = () => ({ ...world.variables, DATABASE_URL: db.url, WEBHOOK_SIGNING_KEYS: KEY });

/** Delivers one event and waits until it is applied. */
async function happen(gateway: RunningGateway, event: EnvelopeOptions): Promise<void> {
  const body = JSON.stringify(envelope(event));
  const headers = { 'zitadel-signature': signature(KEY, body) };
  const answer = await gateway.fetch('/webhooks/zitadel', { method: 'POST', headers, body });
  expect(answer.status).toBe(202);
  const pending = sql`select status from sallyport_webhook_events where status <> 'applied'`;
  await vi.waitUntil(async () => (await db.database.query(pending, Status)).length === 0, {
    timeout: 10_000,
    interval: 20,
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

  it('a suspension told to one is the 401 of the very next request at the other, until the user is back', async () => {
    const authorization = await world.bearer({ sub: 'dora' });
    const again = () => other.fetch('/me', { headers: { authorization } });
    expect((await again()).status).toBe(200);
    await happen(told, { user: 'dora', sequence: 1, type: 'user.deactivated' });
    await expectRefusal(await again(), 'invalid_token');
    await happen(told, { user: 'dora', sequence: 2, type: 'user.reactivated' });
    expect((await again()).status).toBe(200);
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
});

describe('one gateway that counts in its own memory', () => {
  it('refuses a suspended user from its next request on, and lets a reactivated one in', async () => {
    const gateway = await inProcess.start(variables());
    const authorization = await world.bearer({ sub: 'frieda' });
    const again = () => gateway.fetch('/me', { headers: { authorization } });
    expect((await again()).status).toBe(200);
    await happen(gateway, { user: 'frieda', sequence: 1, type: 'user.deactivated' });
    await expectRefusal(await again(), 'invalid_token');
    await happen(gateway, { user: 'frieda', sequence: 2, type: 'user.reactivated' });
    expect((await again()).status).toBe(200);
    await gateway.close();
  });
});
