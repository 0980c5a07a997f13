import { afterAll, describe, expect, it } from 'vitest';
import { RedisCounters } from '../../shared/adapters/redis/counters.ts';
import { node } from '../support/gateway/node.ts';
import { expectStopped } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';
import { workerd } from '../support/gateway/workerd.ts';
import { ACME, openTwoDoors, uuid } from '../support/two-doors.ts';
import { withAdmin } from '../services/redis-time.ts';
import { startRedis } from '../services/redis.ts';
import { startUpstash } from '../services/upstash.ts';

const redis = await startRedis();
const upstash = redis && (await startUpstash(redis.url));
const doors = await openTwoDoors();
afterAll(async () => {
  await doors.close();
  await upstash?.close();
  await redis?.close();
});

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

const stores = [
  { on: [node], variables: () => ({ ...doors.variables(), REDIS_URL: redis!.url }) },
  {
    on: [workerd],
    variables: () => ({
      ...doors.variables(),
      UPSTASH_REDIS_REST_URL: upstash!.url,
      UPSTASH_REDIS_REST_TOKEN: upstash!.token,
    }),
  },
];

describe.skipIf(redis === undefined).each(stores)('with a shared store', (options) => {
  gatewaySuite('a session that ended elsewhere', options, (stage) => {
    it('meets 401 with its next request, while other sessions of the user go on', async () => {
      const other = new RedisCounters({ url: redis!.url, clock: { now: () => Date.now() } });
      const [sub, sid] = [uuid(), uuid()];
      const [ended, living] = [await doors.session({ sub, sid }), await doors.session({ sub })];
      const send = (token: string) =>
        stage.gateway.fetch('/me', { headers: { authorization: `Bearer ${token}` } });
      for (const token of [ended, living]) expect((await send(token)).status).toBe(200);
      await other.mark(`session|${sub}|sid:${sid}`, { version: 1, notBefore: Infinity }, 3_600);
      await expectStopped(send(ended), 'invalid_token', stage.upstream);
      expect((await send(living)).status).toBe(200);
      await other.mark(`session|${sub}`, { version: 1, notBefore: Infinity }, 3_600);
      await expectStopped(send(living), 'invalid_token', stage.upstream);
      other.close();
    });

    it('and an account that was withdrawn at its provider is refused, whatever user it is linked to', async () => {
      const other = new RedisCounters({ url: redis!.url, clock: { now: () => Date.now() } });
      const user = await doors.user(ACME);
      const subject = `withdrawn-${user}`;
      await doors.link(stage.issuer.url, subject, user);
      const send = async (authorization: string) =>
        stage.gateway.fetch('/me', { headers: { authorization } });
      const bearer = await stage.bearer({ sub: subject });
      expect((await send(bearer)).status).toBe(200);
      expect(stage.upstream.requests.at(-1)?.values('x-user-id')).toEqual([user]);
      await other.mark(`zitadel|${subject}`, { version: 1, notBefore: Infinity }, 3_600);
      await expectStopped(send(bearer), 'invalid_token', stage.upstream);
      expect((await send(`Bearer ${await doors.session({ sub: user })}`)).status).toBe(200);
      other.close();
    });

    it('costs no round trip of its own', async () => {
      const scripts = async (): Promise<number> => {
        const info = await withAdmin(redis!.url, (admin) => admin.sendCommand(['INFO', 'commandstats']));
        const counted = JSON.stringify(info).matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g);
        return Array.from(counted, ([, calls]) => Number(calls)).reduce((sum, calls) => sum + calls, 0);
      };
      const authorization = `Bearer ${await doors.session()}`;
      const send = () => stage.gateway.fetch('/me', { headers: { authorization } });
      await send();
      const [before, calls] = [await scripts(), upstash!.calls()];
      for (let n = 0; n < 10; n++) expect((await send()).status).toBe(200);
      expect((await scripts()) - before).toBe(10);
      expect(upstash!.calls() - calls).toBe(options.on[0] === workerd ? 10 : 0);
    });
  });
});
