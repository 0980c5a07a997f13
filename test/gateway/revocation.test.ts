import { afterAll, describe, expect, it } from 'vitest';
import { RedisCounters } from '../../shared/adapters/redis/counters.ts';
import { node } from '../support/gateway/node.ts';
import { expectStopped } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';
import { startRedis } from '../services/redis.ts';

const redis = await startRedis();
afterAll(() => redis?.close());

const as = async (stage: Stage, sub: string) =>
  stage.gateway.fetch('/me', { headers: { authorization: await stage.bearer({ sub }) } });

describe.skipIf(redis === undefined)('with redis-server', () => {
  const options = { on: [node], variables: () => ({ REDIS_URL: redis!.url }) };

  gatewaySuite('a subject that was revoked elsewhere', options, (stage) => {
    it('meets 401 while its token has not expired, and is let in again once restored', async () => {
      const other = new RedisCounters({ url: redis!.url, clock: { now: () => Date.now() } });
      const authorization = await stage.bearer({ sub: 'dora' });
      const again = () => stage.gateway.fetch('/me', { headers: { authorization } });
      expect((await again()).status).toBe(200);
      await other.mark('zitadel|dora', { version: 1, notBefore: Infinity }, 3_600);
      const sent = again();
      expect((await sent).headers.get('www-authenticate')).toContain('error="invalid_token"');
      await expectStopped(sent, 'invalid_token', stage.upstream);
      expect((await as(stage, 'emil')).status).toBe(200);
      await other.mark('zitadel|dora', { version: 2, notBefore: 1_000 }, 3_600);
      expect((await again()).status).toBe(200);
      other.close();
    });
  });
});
