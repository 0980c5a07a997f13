import { afterAll, describe, expect, it } from 'vitest';
import { node } from '../support/gateway/node.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';
import { startRedis } from '../services/redis.ts';
import { withAdmin } from '../services/redis-time.ts';

const redis = await startRedis();
afterAll(() => redis?.close());

async function as(stage: Stage, sub: string, target: string): Promise<number> {
  return (await stage.gateway.fetch(target, { headers: { authorization: await stage.bearer({ sub }) } }))
    .status;
}

const trips = (stage: Stage) => ({
  openfga: stage.openfga.requests.length,
  provider: stage.issuer.requests.length,
});

/** What `work` added to the counts. */
async function added(stage: Stage, work: () => Promise<unknown>): Promise<ReturnType<typeof trips>> {
  const before = trips(stage);
  await work();
  const after = trips(stage);
  return { openfga: after.openfga - before.openfga, provider: after.provider - before.provider };
}

gatewaySuite('round trips of a request, besides the one to the upstream', {}, (stage) => {
  it('a cold decision costs one, and no more while it is remembered', async () => {
    expect(await added(stage, () => as(stage, 'bob', '/admin/x'))).toEqual({ openfga: 1, provider: 0 });
    const again = () => Promise.all(Array.from({ length: 20 }, () => as(stage, 'bob', '/admin/x')));
    expect(await added(stage, again)).toEqual({ openfga: 0, provider: 0 });
  });

  it('another token of a known key costs none', async () => {
    expect(await added(stage, () => as(stage, 'somebody', '/me'))).toEqual({ openfga: 0, provider: 0 });
  });

  it('keys are fetched once for all: discovery and the keys themselves', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, n) => as(stage, `user-${n}`, '/me')));
    expect(stage.issuer.requests).toEqual(['/.well-known/openid-configuration', '/oauth/v2/keys']);
  });

  it('a public path costs none', async () => {
    expect(await added(stage, () => stage.gateway.fetch('/public/x'))).toEqual({ openfga: 0, provider: 0 });
  });
});

describe.skipIf(redis === undefined)('with redis-server', () => {
  gatewaySuite('counters in Redis', { on: [node], variables: () => ({ REDIS_URL: redis!.url }) }, (stage) => {
    const commands = async (): Promise<number> => {
      const info = await withAdmin(redis!.url, (admin) => admin.sendCommand(['INFO', 'commandstats']));
      const counted = JSON.stringify(info).matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g);
      return Array.from(counted, ([, calls]) => Number(calls)).reduce((sum, calls) => sum + calls, 0);
    };

    it('cost exactly one round trip per request', async () => {
      await as(stage, 'bob', '/admin/x');
      const before = await commands();
      const spent = await added(stage, async () => {
        for (let n = 0; n < 10; n++) expect(await as(stage, 'bob', '/admin/x')).toBe(200);
      });
      expect((await commands()) - before).toBe(10);
      expect(spent).toEqual({ openfga: 0, provider: 0 });
    });
  });
});
