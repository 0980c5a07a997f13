import { decodeJwt } from 'jose';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { RUNTIMES } from '../support/gateway/runtimes.ts';
import { expectRefusal } from '../support/refusal.ts';
import { auditOf, makeUser } from './people.ts';
import { authSuite, bearer, Pair, signIn, type AuthStage } from './suite.ts';

/** Long because gateways of each runtime are started once for all that a session may meet. */

const refresh = (stage: AuthStage, refresh_token: string) => stage.post('refresh', { refresh_token });

async function rotated(stage: AuthStage, token: string): Promise<z.output<typeof Pair>> {
  const answer = await refresh(stage, token);
  expect(answer.status).toBe(200);
  return Pair.parse(await answer.json());
}

const sidOf = (token: string): string => z.string().parse(decodeJwt(token)['sid']);

const Row = z.object({
  access_token_hash: z.string(),
  refresh_token_hash: z.string(),
  auth_method: z.string(),
  revoked: z.boolean(),
  revoked_reason: z.string().nullable(),
  lives: z.number(),
});

async function row(stage: AuthStage, sid: string): Promise<z.output<typeof Row>> {
  const [found] = await stage.database.query(
    sql`select access_token_hash, refresh_token_hash, auth_method, revoked, revoked_reason,
          round(extract(epoch from refresh_token_expires_at - now()))::int as lives
        from sessions where session_id = ${sid}`,
    Row,
  );
  return found!;
}

const sha256 = async (text: string): Promise<string> =>
  Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('hex');

/** Makes the rotation of a session older than its answer may be given again. */
const later = (stage: AuthStage, sid: string) =>
  stage.database.execute(
    sql`update sallyport_sessions set rotated_at = now() - interval '11 seconds' where session_id = ${sid}`,
  );

authSuite('sessions', { on: RUNTIMES }, (stage) => {
  describe('the row of a session', () => {
    it('keeps the columns of the application true: SHA-256 of both tokens, and how long they live', async () => {
      const user = await makeUser(stage.database);
      const first = await signIn(stage, user);
      const sid = sidOf(first.access_token);
      const check = async (pair: z.output<typeof Pair>) => {
        const { lives, ...rest } = await row(stage, sid);
        expect(rest).toEqual({
          access_token_hash: await sha256(pair.access_token),
          refresh_token_hash: await sha256(pair.refresh_token),
          auth_method: 'jwt',
          revoked: false,
          revoked_reason: null,
        });
        expect(Math.abs(lives - 2_592_000)).toBeLessThan(60);
      };
      await check(first);
      await check(await rotated(stage, first.refresh_token));
    });
  });

  describe('a refresh token', () => {
    it('is rotated, and the new access token is of the same session', async () => {
      const first = await signIn(stage, await makeUser(stage.database));
      const second = await rotated(stage, first.refresh_token);
      expect(second.refresh_token).not.toBe(first.refresh_token);
      expect(sidOf(second.access_token)).toBe(sidOf(first.access_token));
      expect((await stage.get('me', bearer(second.access_token))).status).toBe(200);
    });

    it('used again within ten seconds is answered with the same pair, on any instance', async () => {
      const first = await signIn(stage, await makeUser(stage.database));
      const second = await rotated(stage, first.refresh_token);
      expect(await rotated(stage, first.refresh_token)).toEqual(second);
    });

    it('used by several requests at the same moment gives all of them the same pair', async () => {
      const first = await signIn(stage, await makeUser(stage.database));
      const pairs = await Promise.all(Array.from({ length: 8 }, () => rotated(stage, first.refresh_token)));
      for (const pair of pairs) expect(pair).toEqual(pairs[0]);
      expect((await refresh(stage, pairs[0]!.refresh_token)).status).toBe(200);
    });

    it('used again after ten seconds ends the whole family, and is audited', async () => {
      const user = await makeUser(stage.database);
      const first = await signIn(stage, user);
      const sid = sidOf(first.access_token);
      const second = await rotated(stage, first.refresh_token);
      await later(stage, sid);
      await expectRefusal(await refresh(stage, first.refresh_token), 'invalid_refresh');
      expect(await row(stage, sid)).toMatchObject({
        revoked: true,
        revoked_reason: 'refresh token used again',
      });
      await expectRefusal(await refresh(stage, second.refresh_token), 'invalid_refresh');
      await expectRefusal(await stage.get('me', bearer(second.access_token)), 'invalid_token');
      expect((await auditOf(stage.database, user.userId)).map(({ what }) => what)).toEqual([
        'signed_in',
        'refresh_reused',
      ]);
    });

    it('used again within ten seconds after its successor was used ends the family', async () => {
      const first = await signIn(stage, await makeUser(stage.database));
      const second = await rotated(stage, first.refresh_token);
      const third = await rotated(stage, second.refresh_token);
      await expectRefusal(await refresh(stage, first.refresh_token), 'invalid_refresh');
      await expectRefusal(await refresh(stage, third.refresh_token), 'invalid_refresh');
    });

    it.each(['', 'sr1.', 'sr1.AAAA', `sr1.${'A'.repeat(91)}`, 'x'.repeat(300)])(
      'that was never one (%j) ends nothing',
      async (token) => {
        const answer = await refresh(stage, token);
        expect([400, 401]).toContain(answer.status);
      },
    );

    it('of an account that is no longer active ends with its session', async () => {
      const user = await makeUser(stage.database);
      const { refresh_token, access_token } = await signIn(stage, user);
      await stage.database.execute(sql`update users set status = 'suspended' where user_id = ${user.userId}`);
      await expectRefusal(await stage.get('me', bearer(access_token)), 'invalid_token');
      await expectRefusal(await refresh(stage, refresh_token), 'invalid_refresh');
      await stage.database.execute(sql`update users set status = 'active' where user_id = ${user.userId}`);
      await expectRefusal(await refresh(stage, refresh_token), 'invalid_refresh');
    });

    it('by cookie is rotated in cookies, from the own site alone', async () => {
      const user = await makeUser(stage.database);
      const { refresh_token } = await signIn(stage, user);
      const cookie = `sallyport_refresh=${refresh_token}`;
      await expectRefusal(await stage.post('refresh', undefined, { cookie }), 'cross_site');
      const answer = await stage.post('refresh', undefined, { cookie, origin: 'http://127.0.0.1:3999' });
      expect(answer.status).toBe(200);
      expect(await answer.json()).toEqual({});
      expect(answer.headers.getSetCookie()).toHaveLength(2);
      const renewed = answer.headers
        .getSetCookie()
        .map((each) => each.split(';')[0])
        .join('; ');
      expect((await stage.get('me', { cookie: renewed })).status).toBe(200);
    });

    it('renewed on the way to a refusal is not lost with it: the answer sets the new cookies', async () => {
      for (const refused of [
        { route: 'change-password', body: { current_password: 'wrong', new_password: 'three plain words' } },
        { route: 'change-password', body: { current_password: 'wrong', new_password: 'short' } },
        { route: 'logout', body: '{' },
      ]) {
        const { refresh_token } = await signIn(stage, await makeUser(stage.database));
        const cookie = `sallyport_refresh=${refresh_token}`;
        const answer = await stage.post(refused.route, refused.body, {
          cookie,
          'sec-fetch-site': 'same-origin',
        });
        expect(answer.status).toBeGreaterThanOrEqual(400);
        const renewed = answer.headers.getSetCookie().map((each) => each.split(';')[0]!);
        expect(renewed).toHaveLength(2);
        expect((await stage.get('me', { cookie: renewed.join('; ') })).status).toBe(200);
      }
    });

    it('is signed out by a form of an own page, which is led on; one of another site ends nothing', async () => {
      const { access_token } = await signIn(stage, await makeUser(stage.database));
      const cookie = `sallyport=${access_token}`;
      const out = (return_to: string, headers: Record<string, string>) =>
        stage.post('logout', new URLSearchParams({ return_to }).toString(), {
          'content-type': 'application/x-www-form-urlencoded',
          ...headers,
        });
      for (const site of ['cross-site', 'same-site', 'none'])
        await expectRefusal(await out('/', { cookie, 'sec-fetch-site': site }), 'cross_site');
      await expectRefusal(await out('/', { cookie, origin: 'https://evil.example.org' }), 'cross_site');
      expect((await stage.get('me', { cookie })).status).toBe(200);
      const own = { 'sec-fetch-site': 'same-origin' };
      for (const [to, location] of [
        ['/analytics/sign-in', '/analytics/sign-in'],
        ['//evil.example.org', '/'],
      ] as const) {
        const answer = await out(to, { cookie, ...own });
        expect([answer.status, answer.headers.get('location')]).toEqual([303, location]);
        expect(answer.headers.getSetCookie().map((each) => each.split('; ')[2])).toEqual([
          'Max-Age=0',
          'Max-Age=0',
        ]);
        await expectRefusal(await stage.get('me', { cookie }), 'invalid_token');
      }
      expect((await out('/', own)).status).toBe(303);
    });

    it('that counts no more takes both cookies away', async () => {
      const { refresh_token } = await signIn(stage, await makeUser(stage.database));
      await stage.post('logout', undefined, {
        cookie: `sallyport_refresh=${refresh_token}`,
        'sec-fetch-site': 'same-origin',
      });
      const cookie = `sallyport=x; sallyport_refresh=${refresh_token}`;
      const answer = await stage.post('refresh', undefined, { cookie, 'sec-fetch-site': 'same-origin' });
      expect(answer.headers.getSetCookie().map((each) => each.split('; ').slice(0, 3))).toEqual([
        ['sallyport=', 'Path=/', 'Max-Age=0'],
        ['sallyport_refresh=', 'Path=/', 'Max-Age=0'],
      ]);
      await expectRefusal(answer, 'invalid_refresh');
    });
  });

  describe('signing out', () => {
    it('ends this session, and no other of the same user', async () => {
      const user = await makeUser(stage.database);
      const [one, other] = [await signIn(stage, user), await signIn(stage, user)];
      expect((await stage.post('logout', undefined, bearer(one.access_token))).status).toBe(204);
      await expectRefusal(await stage.get('me', bearer(one.access_token)), 'invalid_token');
      await expectRefusal(await refresh(stage, one.refresh_token), 'invalid_refresh');
      expect((await stage.get('me', bearer(other.access_token))).status).toBe(200);
    });

    it('everywhere ends all of them, and nobody else’s', async () => {
      const [user, bystander] = [await makeUser(stage.database), await makeUser(stage.database)];
      const [one, other, third] = [
        await signIn(stage, user),
        await signIn(stage, user),
        await signIn(stage, bystander),
      ];
      const out = await stage.post('logout', { everywhere: true }, bearer(one.access_token));
      expect(out.status).toBe(204);
      for (const { access_token } of [one, other])
        await expectRefusal(await stage.get('me', bearer(access_token)), 'invalid_token');
      expect((await stage.get('me', bearer(third.access_token))).status).toBe(200);
      expect((await stage.get('me', bearer((await signIn(stage, user)).access_token))).status).toBe(200);
    });
  });

  describe('own sessions', () => {
    it('are listed with device, address and last use, and ended one by one', async () => {
      const user = await makeUser(stage.database);
      const [one, other] = [await signIn(stage, user), await signIn(stage, user)];
      const list = await stage.get('sessions', bearer(one.access_token));
      const { sessions } = z
        .object({
          sessions: z.array(
            z.looseObject({
              id: z.string(),
              current: z.boolean(),
              address: z.string().nullable(),
              last_used_at: z.string(),
            }),
          ),
        })
        .parse(await list.json());
      expect(sessions.map(({ id }) => id).sort()).toEqual(
        [sidOf(one.access_token), sidOf(other.access_token)].sort(),
      );
      expect(sessions.filter(({ current }) => current).map(({ id }) => id)).toEqual([
        sidOf(one.access_token),
      ]);
      const end = (id: string, token: string) =>
        stage.gateway.fetch(`/api/v1/auth/sessions/${id}`, { method: 'DELETE', headers: bearer(token) });
      expect((await end(sidOf(other.access_token), one.access_token)).status).toBe(204);
      await expectRefusal(await stage.get('me', bearer(other.access_token)), 'invalid_token');
      expect((await end(sidOf(other.access_token), one.access_token)).status).toBe(404);
      const stranger = await signIn(stage, await makeUser(stage.database));
      for (const id of [sidOf(one.access_token), 'nonsense', '00000000-0000-0000-0000-000000000000'])
        expect((await end(id, stranger.access_token)).status).toBe(404);
      expect((await stage.get('me', bearer(one.access_token))).status).toBe(200);
    });
  });

  it('tokens of others are none of ours', async () => {
    for (const token of ['x', await stage.issuer.sign({ sub: 'alice' })])
      await expectRefusal(await stage.get('me', bearer(token)), 'invalid_token');
    await expectRefusal(await stage.get('me'), 'missing_token');
  });

  it('the public keys of session tokens are published', async () => {
    const { access_token } = await signIn(stage, await makeUser(stage.database));
    const kid = z.object({ kid: z.string() }).parse(JSON.parse(atob(access_token.split('.')[0]!))).kid;
    const answer = await stage.gateway.fetch('/.well-known/sallyport/jwks.json');
    const { keys } = z
      .object({ keys: z.array(z.looseObject({ kid: z.string() })) })
      .parse(await answer.json());
    expect(keys.map((key) => key.kid)).toContain(kid);
    for (const key of keys) expect(Object.keys(key)).not.toContain('d');
  });
});

authSuite('an access token that ran out', { variables: () => ({ SESSION_TTL: '1' }) }, (stage) => {
  const expired = async (): Promise<z.output<typeof Pair>> => {
    const pair = await signIn(stage, await makeUser(stage.database));
    await vi.waitUntil(async () => (await stage.get('me', bearer(pair.access_token))).status === 401, {
      timeout: 600_000,
      interval: 50,
    });
    return pair;
  };

  it('expired token: refresh works', async () => {
    const { refresh_token } = await expired();
    const { access_token } = await rotated(stage, refresh_token);
    expect(decodeJwt(access_token).exp).toBeGreaterThan(0);
  });

  it('in a cookie is renewed on the way, by our own routes too', async () => {
    const { access_token, refresh_token } = await expired();
    const cookie = `sallyport=${access_token}; sallyport_refresh=${refresh_token}`;
    const me = await stage.get('me', { cookie });
    expect(me.status).toBe(200);
    expect(me.headers.getSetCookie()).toHaveLength(2);
    const out = await stage.post('logout', undefined, { cookie, 'sec-fetch-site': 'same-origin' });
    expect(out.status).toBe(204);
    // Renewed on the way, too: the last word counts.
    expect(out.headers.getSetCookie().map((each) => each.split('; ')[2])).toEqual(['Max-Age=0', 'Max-Age=0']);
    await expectRefusal(await refresh(stage, refresh_token), 'invalid_refresh');
  });
});
