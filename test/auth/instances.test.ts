import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { startRedis } from '../services/redis.ts';
import { node } from '../support/gateway/node.ts';
import type { RunningGateway } from '../support/gateway/runtime.ts';
import { expectRefusal } from '../support/refusal.ts';
import { makeUser, PASSWORD } from './people.ts';
import { authSuite, bearer, Pair, signIn } from './suite.ts';

const redis = await startRedis();
afterAll(() => redis?.close());

describe.skipIf(redis === undefined)('with redis-server', () => {
  const options = { on: [node], variables: () => ({ REDIS_URL: redis!.url, RATE_LIMIT_FAILURE: 'local' }) };

  authSuite('two instances', options, (stage) => {
    let other: RunningGateway;
    beforeAll(async () => {
      other = await node.start(stage.alike);
    });
    afterAll(() => other.close());

    const there = (token: string) => other.fetch('/me', { headers: bearer(token) });

    it('a session that ended on one is refused by the next request to the other', async () => {
      const user = await makeUser(stage.database);
      const [one, two, kept] = [
        await signIn(stage, user),
        await signIn(stage, user),
        await signIn(stage, user),
      ];
      for (const { access_token } of [one, two, kept]) expect((await there(access_token)).status).toBe(200);
      await stage.post('logout', {}, bearer(one.access_token));
      await expectRefusal(await there(one.access_token), 'invalid_token');
      const id = z.string().parse(decodeJwt(two.access_token)['sid']);
      await stage.gateway.fetch(`/api/v1/auth/sessions/${id}`, {
        method: 'DELETE',
        headers: bearer(kept.access_token),
      });
      await expectRefusal(await there(two.access_token), 'invalid_token');
      expect((await there(kept.access_token)).status).toBe(200);
    });

    it('a new password on one ends the other sessions everywhere, and not this one', async () => {
      const user = await makeUser(stage.database);
      const [mine, others] = [await signIn(stage, user), await signIn(stage, user)];
      expect((await there(others.access_token)).status).toBe(200);
      const body = { current_password: PASSWORD, new_password: 'three plain words' };
      expect((await stage.post('change-password', body, bearer(mine.access_token))).status).toBe(204);
      await expectRefusal(await there(others.access_token), 'invalid_token');
      expect((await there(mine.access_token)).status).toBe(200);
    });

    it('a refresh token that was used on one is known for used on the other', async () => {
      const { refresh_token } = await signIn(stage, await makeUser(stage.database));
      const pair = Pair.parse(await (await stage.post('refresh', { refresh_token })).json());
      const post = (token: string) =>
        other.fetch('/api/v1/auth/refresh', {
          method: 'POST',
          body: JSON.stringify({ refresh_token: token }),
        });
      expect(Pair.parse(await (await post(refresh_token)).json())).toEqual(pair);
      expect((await post(pair.refresh_token)).status).toBe(200);
      await expectRefusal(await post(refresh_token), 'invalid_refresh');
    });

    it('a session that ends while the counter store is away is refused by the other, which reads the database', async () => {
      const user = await makeUser(stage.database);
      const { access_token } = await signIn(stage, user);
      expect((await there(access_token)).status).toBe(200);
      await redis!.kill();
      expect((await stage.post('logout', {}, bearer(access_token))).status).toBe(204);
      await vi.waitUntil(async () => (await there(access_token)).status === 401, {
        timeout: 600_000,
        interval: 20,
      });
      await redis!.start();
    });
  });
});
