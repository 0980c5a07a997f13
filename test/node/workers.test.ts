import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis } from '../services/redis.ts';
import { nodeProgram } from '../support/gateway/node.ts';
import { METRICS_TOKEN, openWorld, type World } from '../support/world.ts';
import { FULL } from '../support/scale.ts';
import { signature } from '../webhooks/sign.ts';
import { DATABASE } from '../support/databases.ts';
import { envelope } from '../webhooks/events.ts';
import { startGroup, type Group } from './group.ts';

let world: World;
const redis = await startRedis();
beforeAll(async () => {
  world = await openWorld();
});
afterAll(async () => {
  await redis?.close();
  await world.close();
});

describe('several processes on one port', () => {
  let group: Group;
  beforeAll(async () => {
    group = await startGroup({ ...world.variables, WORKERS: '3', ASSERTION_KEYS: '' });
  });
  afterAll(async () => {
    expect(await group.stop()).toBe(0);
    expect(group.said('stopped')).toHaveLength(1);
  });

  it('are as many as WORKERS says, and speak of their start and their configuration once', async () => {
    expect(await group.workers()).toHaveLength(3);
    expect(group.said('listening')).toMatchObject([{ workers: 3, pid: group.program.pid }]);
    const warnings = group.program.output().match(/"msg":"(?:ASSERTION_KEYS|REDIS_URL|WORKERS) /g);
    expect(warnings).toHaveLength(3);
  });

  it('sign with one key where the configuration has none', async () => {
    const sets = await Promise.all(
      [1, 2, 3, 4, 5, 6].map(async () =>
        (await group.client.fetch('/.well-known/sallyport/jwks.json')).text(),
      ),
    );
    expect(new Set(sets).size).toBe(1);
    expect(JSON.parse(sets[0] ?? '')).toMatchObject({ keys: [{ kty: 'EC' }] });
  });

  it('answer with the sum of their counters, whichever is asked', async () => {
    const line = /^sallyport_requests_total\{rule="\/public\/\*rest".*code="ok"/;
    const before = await group.counted(line);
    for (let n = 0; n < 10; n++) await group.client.fetch('/public/x');
    for (let n = 0; n < 6; n++) expect(await group.counted(line)).toBe(before + 10);
    // Own routes are no part of how long requests take.
    expect(await group.counted(/^sallyport_request_duration_seconds_count/)).toBe(before + 10);
    expect(await group.counted(/^sallyport_worker_deaths_total/)).toBe(0);
    // One line each: the memory of all processes, and one version.
    expect(await group.counted(/^process_resident_memory_bytes/)).toBeGreaterThan(3 * 2 ** 24);
    expect(await group.counted(/^nodejs_version_info/)).toBe(1);
  });

  it('are each ready', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => group.client.fetch('/ready')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  });
});

describe('a start that fails', () => {
  const ending = async (variables: Record<string, string>) => {
    const program = await nodeProgram(
      { ...world.variables, WORKERS: '4', ...variables },
      { asShipped: FULL },
    );
    return { code: await program.ended, said: program.output() };
  };

  it('says once what is wrong with the rules, and ends with 1', async () => {
    const { code, said } = await ending({ ACCESS_RULES: '[{' });
    expect(code).toBe(1);
    expect(said.match(/ACCESS_RULES 1:\d+/g)).toHaveLength(1);
    expect(said).toMatch(/^Variables come from the environment/m);
  });

  it('says once that the port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const { code, said } = await ending({ PORT: String(port) });
    taken.close();
    expect(code).toBe(1);
    expect(said.match(/another program listens there/g)).toHaveLength(1);
  });

  it('ends with 1 when its processes die before they serve', async () => {
    const dies = "data:text/javascript,import%20c%20from'node:cluster';c.isWorker&&process.exit(7)";
    const { code, said } = await ending({ NODE_OPTIONS: `--import=${dies}` });
    expect(code).toBe(1);
    expect(said.match(/a worker process ended before it served: exit code 7/g)).toHaveLength(1);
  });
});

describe('what processes share', () => {
  it.skipIf(redis === undefined)(
    'a quota in Redis is one, however many count (needs redis-server)',
    async () => {
      const group = await startGroup({ ...world.variables, REDIS_URL: redis!.url, WORKERS: '3' });
      const authorization = await world.bearer({ sub: 'quinn' });
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => group.client.fetch('/few', { headers: { authorization } })),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(17);
      expect(group.program.output()).not.toContain('"msg":"WORKERS ');
      expect(await group.stop()).toBe(0);
    },
  );

  it('a suspension told to one process is refused by all, without a shared store too', async () => {
    const db = await DATABASE.start();
    const key = 'signing-key-of-this-test';
    const group = await startGroup({
      ...world.variables,
      WORKERS: '3',
      DATABASE_URL: db.url,
      WEBHOOK_SIGNING_KEYS: key,
    });
    const authorization = await world.bearer({ sub: 'marta' });
    const statuses = async () => {
      const asked = [1, 2, 3, 4, 5, 6].map(() => group.client.fetch('/me', { headers: { authorization } }));
      return new Set((await Promise.all(asked)).map(({ status }) => status));
    };
    expect(await statuses()).toEqual(new Set([200]));
    const event = { user: 'marta', sequence: 1, type: 'user.deactivated' };
    const body = JSON.stringify({ ...envelope(event), created_at: new Date().toISOString() });
    const headers = { 'zitadel-signature': signature(key, body) };
    expect((await group.client.fetch('/webhooks/zitadel', { method: 'POST', headers, body })).status).toBe(
      202,
    );
    await expect.poll(statuses).toEqual(new Set([401]));
    expect(await statuses()).toEqual(new Set([401]));
    expect(await group.stop()).toBe(0);
    await db.close();
  });

  it('a decision that an event about its user made void is void in all, however long DECISION_TTL is', async () => {
    const db = await DATABASE.start();
    const key = 'signing-key-of-this-test';
    const group = await startGroup({
      ...world.variables,
      WORKERS: '3',
      DECISION_TTL: '3600',
      DATABASE_URL: db.url,
      WEBHOOK_SIGNING_KEYS: key,
    });
    const authorization = await world.bearer({ sub: 'nora' });
    const statuses = async () => {
      const asked = [1, 2, 3, 4, 5, 6].map(() =>
        group.client.fetch('/documents/of-nora', { headers: { authorization } }),
      );
      return new Set((await Promise.all(asked)).map(({ status }) => status));
    };
    const { OPENFGA_URL, OPENFGA_STORE_ID } = world.variables;
    const tuple = (change: 'writes' | 'deletes') =>
      fetch(`${OPENFGA_URL}/stores/${OPENFGA_STORE_ID}/write`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          [change]: { tuple_keys: [{ user: 'user:nora', relation: 'viewer', object: 'document:of-nora' }] },
        }),
      });
    expect((await tuple('writes')).status).toBe(200);
    expect(await statuses()).toEqual(new Set([200]));
    expect((await tuple('deletes')).status).toBe(200);
    // Each of them remembers.
    expect(await statuses()).toEqual(new Set([200]));
    const event = { user: 'nora', sequence: 1, type: 'user.username.changed' };
    const body = JSON.stringify({ ...envelope(event), created_at: new Date().toISOString() });
    const headers = { 'zitadel-signature': signature(key, body) };
    expect((await group.client.fetch('/webhooks/zitadel', { method: 'POST', headers, body })).status).toBe(
      202,
    );
    await expect.poll(statuses).toEqual(new Set([403]));
    expect(await group.stop()).toBe(0);
    await db.close();
  });

  it('the state of a feature sync, which one of them runs, is in /ready of all', async () => {
    const group = await startGroup({
      ...world.variables,
      WORKERS: '3',
      FEATURE_SYNC: 'start',
      ACCESS_RULES_PREV: JSON.stringify([{ path: '/reports', method: 'GET', feature: 'old_reports' }]),
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nowhere',
    });
    const states = async () => {
      const headers = { authorization: `Bearer ${METRICS_TOKEN}` };
      const asked = [1, 2, 3, 4, 5, 6].map(async () => {
        const ready = (await (await group.client.fetch('/ready', { headers })).json()) as {
          dependencies: { feature_sync: { state: string } };
        };
        return ready.dependencies.feature_sync.state;
      });
      return new Set(await Promise.all(asked));
    };
    await expect.poll(states).toEqual(new Set(['waiting']));
    expect(group.said('feature sync')).toHaveLength(1);
    expect(await group.stop()).toBe(0);
  });
});
