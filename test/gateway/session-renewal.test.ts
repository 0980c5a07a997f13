import { once } from 'node:events';
import { afterAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import { expectRefusal, expectStopped } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';
import { ACME, COOKIE, openTwoDoors, PUBLIC_URL, REFRESH_COOKIE } from '../support/two-doors.ts';

const doors = await openTwoDoors();
afterAll(() => doors.close());

const RULES = [
  { path: '/me', method: '*', feature: 'authenticated' },
  { path: '/mine', method: '*', tenant: 'required' },
  { path: '/forbidden', method: '*', feature: 'admin_panel' },
  { path: '/ws/*rest', method: 'GET', feature: 'authenticated' },
];

const send = (stage: Stage, path: string, headers: Record<string, string>, method = 'GET') =>
  stage.gateway.fetch(path, { method, headers });

const got = (stage: Stage, field: string) => stage.upstream.requests.at(-1)?.values(field);

/** Set-Cookie of an answer, by name: the value, and what follows it. */
function setCookies(answer: Response): Map<string, { value: string; rest: string }> {
  return new Map(
    answer.headers.getSetCookie().map((line) => {
      const [pair = '', ...rest] = line.split('; ');
      const at = pair.indexOf('=');
      return [pair.slice(0, at), { value: pair.slice(at + 1), rest: rest.join('; ') }];
    }),
  );
}

const options = {
  on: SOCKETS,
  rules: RULES,
  variables: () => ({ ...doors.variables(), TRUSTED_PROXIES: '127.0.0.1' }),
};

const Session = z.object({ id: z.string(), generation: z.number(), revoked: z.boolean() });

gatewaySuite('a session whose access token ran out', options, (stage) => {
  /** The cookies of a browser whose access token ran out. */
  async function browser(): Promise<{ cookie: string; user: string; refresh: string }> {
    const user = await doors.user(ACME);
    const refresh = await doors.begun(user);
    stage.secrets.push(refresh);
    const now = Math.floor(Date.now() / 1_000);
    const old = await doors.session({ sub: user, iat: now - 900, exp: now - 60 });
    return { user, refresh, cookie: `${COOKIE}=${old}; ${REFRESH_COOKIE}=${refresh}; theme=dark` };
  }

  const sessionsOf = (user: string) =>
    doors.database.query(
      sql`select s.session_id as id, f.generation, s.revoked from sessions s
          join sallyport_sessions f using (session_id) where s.user_id = ${user}`,
      Session,
    );

  it('expired token: refresh works, on the way, and a page never notices', async () => {
    const { user, cookie, refresh } = await browser();
    const answer = await send(stage, '/mine', { cookie });
    expect(answer.status).toBe(200);
    expect(got(stage, 'x-user-id')).toEqual([user]);
    expect(got(stage, 'cookie')).toEqual(['theme=dark']);
    expect(answer.headers.get('cache-control')).toContain('no-store');
    const set = setCookies(answer);
    for (const name of [COOKIE, REFRESH_COOKIE]) {
      expect(set.get(name)?.rest).toMatch(/Path=\/.*HttpOnly.*SameSite=Lax.*Secure/);
      expect(set.get(name)?.value).not.toBe(refresh);
    }
    expect(await sessionsOf(user)).toMatchObject([{ generation: 1, revoked: false }]);
    const renewed = [...set].map(([name, { value }]) => `${name}=${value}`).join('; ');
    const next = await send(stage, '/mine', { cookie: renewed });
    expect(next.status).toBe(200);
    expect(next.headers.getSetCookie()).toEqual([]);
  });

  it('a session that was signed out counts nowhere from the next request on, by cookie and by token', async () => {
    const { cookie } = await browser();
    const set = setCookies(await send(stage, '/mine', { cookie }));
    const access = set.get(COOKIE)?.value ?? '';
    stage.secrets.push(access.slice(access.lastIndexOf('.') + 1));
    const fresh = [...set].map(([name, { value }]) => `${name}=${value}`).join('; ');
    const either = [{ cookie: fresh }, { authorization: `Bearer ${access}` }];
    for (const fields of either) expect((await send(stage, '/mine', fields)).status).toBe(200);
    const out = { cookie: fresh, origin: PUBLIC_URL };
    expect((await send(stage, '/api/v1/auth/logout', out, 'POST')).status).toBe(204);
    for (const fields of either)
      await expectStopped(send(stage, '/mine', fields), 'invalid_token', stage.upstream);
  });

  it('the requests of one page get one rotation, and all of them its cookies', async () => {
    const { user, cookie } = await browser();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => send(stage, n % 2 === 0 ? '/mine' : '/me', { cookie })),
    );
    const set = answers.map((answer) => [answer.status, answer.headers.getSetCookie()]);
    expect(new Set(set.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(set[0]).toEqual([200, [expect.any(String), expect.any(String)]]);
    expect(await sessionsOf(user)).toMatchObject([{ generation: 1, revoked: false }]);
  });

  it('a refusal after it carries the cookies too, or the session would be lost', async () => {
    const { cookie } = await browser();
    const answer = await send(stage, '/forbidden', { cookie });
    expect([...setCookies(answer).keys()].sort()).toEqual([COOKIE, REFRESH_COOKIE]);
    await expectRefusal(answer, 'forbidden');
  });

  it('an upstream’s own cookies stay beside them', async () => {
    const { cookie } = await browser();
    stage.upstream.on('/me', (incoming, outgoing) => {
      incoming.resume();
      outgoing.setHeader('set-cookie', ['x=1', 'y=2']);
      outgoing.end('ok');
    });
    const answer = await send(stage, '/me', { cookie });
    expect([...setCookies(answer).keys()].sort()).toEqual([COOKIE, REFRESH_COOKIE, 'x', 'y']);
  });

  it('a refresh that fails is 401 and clears the cookies', async () => {
    const { user, cookie } = await browser();
    await doors.execute(sql`update sessions set revoked = true, revoked_at = now() where user_id = ${user}`);
    for (const refused of [cookie, `${REFRESH_COOKIE}=garbage`]) {
      const answer = await send(stage, '/mine', { cookie: refused });
      const set = setCookies(answer);
      for (const name of [COOKIE, REFRESH_COOKIE])
        expect(set.get(name)).toMatchObject({
          value: '',
          rest: expect.stringContaining('Max-Age=0') as string,
        });
      await expectRefusal(answer, 'invalid_refresh');
    }
    expect(stage.upstream.requests).toEqual([]);
  });

  it('is renewed for no page of another site', async () => {
    const { user, cookie } = await browser();
    await expectStopped(send(stage, '/me', { cookie }, 'POST'), 'cross_site', stage.upstream);
    expect(await sessionsOf(user)).toMatchObject([{ generation: 0 }]);
  });

  it('is not renewed at /forward-auth, whose answer sets no cookie', async () => {
    const { user, cookie } = await browser();
    const answer = await send(stage, '/forward-auth', {
      ...{ cookie, 'cf-connecting-ip': '127.0.0.1' },
      ...{ 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/me' },
    });
    await expectRefusal(answer, 'invalid_token');
    expect(await sessionsOf(user)).toMatchObject([{ generation: 0 }]);
  });

  it('the database away: 503, and the cookies stay', async () => {
    const { cookie } = await browser();
    doors.cut();
    try {
      const answer = await send(stage, '/me', { cookie });
      expect(answer.headers.getSetCookie()).toEqual([]);
      await expectRefusal(answer, 'database_unavailable');
    } finally {
      await doors.mend();
    }
    expect((await send(stage, '/me', { cookie })).status).toBe(200);
  });

  it('while an upstream takes its time, further requests of the page share the rotation, however late they come', async () => {
    const { user, cookie } = await browser();
    let answer = (): void => undefined;
    stage.upstream.on('/mine', (incoming, outgoing) => {
      incoming.resume();
      answer = () => void outgoing.end('ok');
    });
    const arrived = stage.upstream.next();
    const slow = send(stage, '/mine', { cookie });
    await arrived;
    // The ten seconds of the database are over.
    await doors.execute(sql`update sallyport_sessions set rotated_at = now() - interval '1 minute'
      where session_id in (select session_id from sessions where user_id = ${user})`);
    const later = await send(stage, '/forbidden', { cookie });
    await expectRefusal(later, 'forbidden');
    answer();
    const first = await slow;
    expect(first.status).toBe(200);
    expect(first.headers.getSetCookie()).toEqual(later.headers.getSetCookie());
    expect(await sessionsOf(user)).toMatchObject([{ generation: 1, revoked: false }]);
    // Once the browser has the new tokens, the old one is somebody else's.
    await expectRefusal(await send(stage, '/forbidden', { cookie }), 'invalid_refresh');
    expect(await sessionsOf(user)).toMatchObject([{ revoked: true }]);
  });

  it('is renewed for a WebSocket as well', async () => {
    const { cookie } = await browser();
    const url = `${stage.gateway.url.replace('http', 'ws')}/ws/echo`;
    const socket = new WebSocket(url, { headers: { cookie, origin: PUBLIC_URL } });
    const [answer] = (await once(socket, 'upgrade')) as [{ headers: { 'set-cookie'?: string[] } }];
    expect(answer.headers['set-cookie']).toHaveLength(2);
    socket.terminate();
  });
});
