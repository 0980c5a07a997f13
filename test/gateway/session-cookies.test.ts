import { once } from 'node:events';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import { expectRefusal, expectStopped } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';
import { ACME, COOKIE, openTwoDoors, PUBLIC_URL } from '../support/two-doors.ts';

const doors = await openTwoDoors();
afterAll(() => doors.close());

const APP = 'https://other.example.org';
const RULES = [
  { path: '/public', method: '*', feature: 'public_access' },
  { path: '/me', method: '*', feature: 'authenticated' },
  { path: '/mine', method: '*', tenant: 'required' },
  { path: '/events', method: 'GET', feature: 'authenticated', token: ['header', 'cookie:sid'] },
  { path: '/ws/*rest', method: 'GET', feature: 'authenticated' },
];

type Fields = Record<string, string>;

const send = (stage: Stage, path: string, headers: Fields, method = 'GET') =>
  stage.gateway.fetch(path, { method, headers });

const got = (stage: Stage, field: string) => stage.upstream.requests.at(-1)?.values(field);

const options = {
  on: SOCKETS,
  rules: RULES,
  variables: () => ({ ...doors.variables(), ALLOWED_ORIGINS: APP, TRUSTED_PROXIES: '127.0.0.1' }),
};

gatewaySuite('the session cookie at the gateway', options, (stage) => {
  let cookie: string;
  beforeEach(async () => {
    cookie = `a=1; ${COOKIE}=${await doors.session()}; b=2`;
  });

  it('is an identity where no Authorization came, and never goes on', async () => {
    expect((await send(stage, '/mine', { cookie })).status).toBe(200);
    expect(got(stage, 'cookie')).toEqual(['a=1; b=2']);
    expect(got(stage, 'authorization')).toEqual([]);
    expect(got(stage, 'x-user-tenant')).toEqual([ACME.id]);
    expect((await send(stage, '/public', { cookie, origin: 'https://evil.test' }, 'POST')).status).toBe(200);
    expect(got(stage, 'cookie')).toEqual(['a=1; b=2']);
    expect(got(stage, 'x-user-id')).toEqual([]);
    const authorization = await stage.bearer({ sub: 'bob' });
    expect((await send(stage, '/me', { cookie, authorization }, 'POST')).status).toBe(200);
    expect(got(stage, 'x-user-id')).toEqual(['bob']);
    expect(got(stage, 'cookie')).toEqual(['a=1; b=2']);
  });

  it('no cookie of a sign-in under way goes on either, alone or beside others', async () => {
    const sealed = `${COOKIE}_in_AbC-_9=eyJhbGciOiJkaXIifQ..x.y.z`;
    for (const [sent, left] of [
      [`${sealed}; a=1`, ['a=1']],
      [`a=1; ${sealed}; ${COOKIE}_in_2=s; b=2`, ['a=1; b=2']],
      [sealed, []],
      [`${cookie}; ${sealed}`, ['a=1; b=2']],
      // Another name is another's cookie.
      [`${COOKIE}s=1; x${COOKIE}_in_=2`, [`${COOKIE}s=1; x${COOKIE}_in_=2`]],
    ] as const)
      for (const [path, fields] of [
        ['/public', {}],
        ['/me', { authorization: await stage.bearer() }],
      ] as const) {
        expect((await send(stage, path, { cookie: sent, ...fields })).status).toBe(200);
        expect(got(stage, 'cookie')).toEqual(left);
      }
  });

  it('counts for what changes something only from our own page or an allowed one', async () => {
    const may: Fields[] = [
      { 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'same-origin', origin: PUBLIC_URL },
      { origin: PUBLIC_URL },
      { origin: APP },
      { 'sec-fetch-site': 'cross-site', origin: APP },
    ];
    const mayNot: Fields[] = [
      {},
      { 'sec-fetch-site': 'none' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site' },
      { origin: 'null' },
      { origin: 'https://evil.test' },
      { origin: `${PUBLIC_URL}.evil.test` },
      { origin: PUBLIC_URL.replace('https', 'http') },
      { 'sec-fetch-site': 'same-site', origin: 'https://evil.example.org' },
      { referer: `${PUBLIC_URL}/page` },
    ];
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      for (const fields of may)
        expect((await send(stage, '/me', { cookie, ...fields }, method)).status).toBe(200);
      for (const fields of mayNot)
        await expectStopped(send(stage, '/me', { cookie, ...fields }, method), 'cross_site', stage.upstream);
    }
    for (const fields of mayNot)
      for (const method of ['GET', 'HEAD'])
        expect((await send(stage, '/me', { cookie, ...fields }, method)).status).toBe(200);
  });

  it('opens a WebSocket only from our own page or an allowed one', async () => {
    const dial = async (fields: Fields): Promise<number> => {
      const url = `${stage.gateway.url.replace('http', 'ws')}/ws/echo`;
      const socket = new WebSocket(url, { headers: { cookie, ...fields } });
      socket.on('error', () => undefined);
      const status = await Promise.race([
        once(socket, 'open').then(() => 101),
        once(socket, 'unexpected-response').then(([, answer]) => {
          (answer as { resume(): void }).resume();
          return (answer as { statusCode: number }).statusCode;
        }),
      ]);
      socket.terminate();
      return status;
    };
    expect(await dial({ origin: PUBLIC_URL })).toBe(101);
    expect(got(stage, 'cookie')).toEqual(['a=1; b=2']);
    for (const fields of [{}, { origin: 'https://evil.test' }, { 'sec-fetch-site': 'same-site' }])
      expect(await dial(fields)).toBe(403);
    expect(stage.upstream.requests).toHaveLength(1);
  });

  it('holds session tokens alone, once, and beside a token of the rule’s own places counts for nothing', async () => {
    const foreign = (await stage.bearer()).slice('Bearer '.length);
    const token = await doors.session();
    for (const bad of [`${COOKIE}=${foreign}`, `${COOKIE}=garbage`, `${COOKIE}=${token.slice(0, -4)}AAAA`])
      await expectStopped(send(stage, '/me', { cookie: bad }), 'invalid_token', stage.upstream);
    const twice = `${COOKIE}=${token}; ${COOKIE}=${await doors.session()}`;
    await expectStopped(send(stage, '/me', { cookie: twice }), 'missing_token', stage.upstream);
    await expectStopped(
      send(stage, '/me', { cookie: `sallyport=${token}` }),
      'missing_token',
      stage.upstream,
    );
    // What a sibling host wrote behind a comma of a cookie of its own is a part of that one's value.
    await expectStopped(
      send(stage, '/me', { cookie: `prefs=x,${COOKIE}=${token}` }),
      'missing_token',
      stage.upstream,
    );
    const beside = { cookie: `${cookie}; sid=${foreign}`, 'sec-fetch-site': 'same-origin' };
    expect((await send(stage, '/events', beside)).status).toBe(200);
    expect(got(stage, 'x-user-id')).toEqual(['alice']);
    expect((await send(stage, '/events', { cookie })).status).toBe(200);
  });

  it('counts at /forward-auth too, by the method that is asked about', async () => {
    const decide = (method: string, fields: Fields = {}) =>
      send(stage, '/forward-auth', {
        ...{ cookie, 'cf-connecting-ip': '127.0.0.1' },
        ...{ 'x-forwarded-method': method, 'x-forwarded-uri': '/me' },
        ...fields,
      });
    const granted = await decide('GET');
    expect(granted.status).toBe(200);
    expect(granted.headers.get('x-user-tenant')).toBe(ACME.id);
    expect((await decide('POST', { origin: PUBLIC_URL })).status).toBe(200);
    await expectRefusal(await decide('POST'), 'cross_site');
    // A proxy leaves Upgrade out, being hop-by-hop, and passes what else a handshake has.
    await expectRefusal(
      await decide('GET', { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }),
      'cross_site',
    );
  });
});
