import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { startGroup, type Group } from '../node/group.ts';
import { startRedis } from '../services/redis.ts';
import { startUpstash } from '../services/upstash.ts';
import { node } from '../support/gateway/node.ts';
import type { RunningGateway } from '../support/gateway/runtime.ts';
import { workerd } from '../support/gateway/workerd.ts';
import { expectRefusal } from '../support/refusal.ts';
import { makeUser } from './people.ts';
import { authSuite, bearer, signIn } from './suite.ts';

/** Far above what anything takes: only what never happens gets there. */
const WAIT = { timeout: 600_000, interval: 20 };

const redis = await startRedis();
const upstash = redis && (await startUpstash(redis.url));
afterAll(async () => {
  await upstash?.close();
  await redis?.close();
});

/** The same store, as either runtime reaches it. */
const store = () => ({
  REDIS_URL: redis!.url,
  UPSTASH_REDIS_REST_URL: upstash!.url,
  UPSTASH_REDIS_REST_TOKEN: upstash!.token,
});

describe.skipIf(redis === undefined)('with redis-server', () => {
  authSuite(
    'a session on Node and in workerd at once',
    { on: [node, workerd], variables: store },
    (stage) => {
      let other: RunningGateway;
      beforeAll(async () => {
        other = await (stage.runtime === 'node' ? workerd : node).start(stage.alike);
      });
      afterAll(() => other.close());

      it('ends on both with the next request, whichever ended it: by logout, by id and everywhere', async () => {
        const user = await makeUser(stage.database);
        const there = (token: string) => other.fetch('/me', { headers: bearer(token) });
        const here = (token: string) => stage.gateway.fetch('/me', { headers: bearer(token) });
        const signedIn = async () => {
          const { access_token: token } = await signIn(stage, user);
          for (const at of [here, there]) expect((await at(token)).status).toBe(200);
          return token;
        };
        const ends: ((token: string, by: string) => Promise<Response>)[] = [
          (token) => stage.post('logout', {}, bearer(token)),
          (token, by) =>
            stage.gateway.fetch(`/api/v1/auth/sessions/${z.string().parse(decodeJwt(token)['sid'])}`, {
              method: 'DELETE',
              headers: bearer(by),
            }),
          (_token, by) => stage.post('logout', { everywhere: true }, bearer(by)),
        ];
        for (const end of ends) {
          const [token, by] = [await signedIn(), await signedIn()];
          expect((await end(token, by)).status).toBe(204);
          for (const at of [there, here]) await expectRefusal(await at(token), 'invalid_token');
        }
      });
    },
  );
});

authSuite('several processes of one instance', { on: [node] }, (stage) => {
  let group: Group;
  beforeAll(async () => {
    group = await startGroup({ ...stage.alike, WORKERS: '3' });
  });
  afterAll(() => group.stop());

  it('a session that ended in one of them is refused by all, without a store', async () => {
    const { access_token: token } = await signIn(stage, await makeUser(stage.database));
    // Each request has a connection of its own, which the next process is handed.
    const each = async (): Promise<number[]> => {
      const statuses: number[] = [];
      for (let n = 0; n < 6; n += 1)
        statuses.push((await group.client.fetch('/me', { headers: bearer(token) })).status);
      return statuses;
    };
    expect(new Set(await each())).toEqual(new Set([200]));
    const ended = await group.client.fetch('/api/v1/auth/logout', { method: 'POST', headers: bearer(token) });
    expect(ended.status).toBe(204);
    await vi.waitUntil(async () => (await each()).every((status) => status === 401), WAIT);
  });
});
