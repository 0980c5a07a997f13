import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { RUNTIMES, SOCKETS } from '../support/gateway/runtimes.ts';
import { expectRefusal, expectStopped } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';

const rule = { method: '*', feature: 'authenticated' };
const RULES = [
  { ...rule, path: '/events', token: ['header', 'cookie:sid'] },
  { ...rule, path: '/discreet', token: ['cookie:sid', 'query:access_token'], forward_authorization: false },
  { ...rule, path: '/linked', token: ['header', 'query:access_token'] },
  { ...rule, path: '/plain' },
  { ...rule, path: '/ws/*rest', token: ['header', 'protocol', 'cookie:sid'] },
];
const APP = 'https://app.example.org';

const tokenOf = async (stage: Stage, sub = 'alice'): Promise<string> =>
  (await stage.bearer({ sub })).slice('Bearer '.length);

gatewaySuite(
  'where a browser cannot set a header a rule may look elsewhere for the token',
  { on: RUNTIMES, rules: RULES, variables: () => ({ ALLOWED_ORIGINS: APP, TRUSTED_PROXIES: '127.0.0.1' }) },
  (stage) => {
    it('a cookie of the own origin or a listed one is an identity', async () => {
      const cookie = `a=1; sid=${await tokenOf(stage)}`;
      for (const fields of [{}, { origin: APP }, { 'sec-fetch-site': 'same-origin' }])
        expect((await stage.gateway.fetch('/events', { headers: { cookie, ...fields } })).status).toBe(200);
      expect(stage.upstream.requests.map((request) => request.values('x-user-id'))).toEqual(
        Array.from({ length: 3 }, () => ['alice']),
      );
    });

    it('a cookie that another site made the browser send is refused', async () => {
      const cookie = `sid=${await tokenOf(stage)}`;
      for (const fields of [{ origin: 'https://evil.test' }, { 'sec-fetch-site': 'cross-site' }])
        await expectStopped(
          stage.gateway.fetch('/events', { headers: { cookie, ...fields } }),
          'forbidden',
          stage.upstream,
        );
      await expectStopped(
        stage.gateway.fetch('/events', { method: 'POST', headers: { cookie } }),
        'forbidden',
        stage.upstream,
      );
    });

    it('two different tokens are refused', async () => {
      const headers = { authorization: await stage.bearer(), cookie: `sid=${await tokenOf(stage, 'bob')}` };
      await expectStopped(stage.gateway.fetch('/events', { headers }), 'invalid_request', stage.upstream);
    });

    it('a place that the rule does not name is not looked at', async () => {
      const token = await tokenOf(stage);
      const headers = { cookie: `sid=${token}` };
      await expectStopped(
        stage.gateway.fetch(`/plain?access_token=${token}`, { headers }),
        'missing_token',
        stage.upstream,
      );
    });

    it('a token in the query never goes on in a URL', async () => {
      const answer = await stage.gateway.fetch(`/linked?a=1&access_token=${await tokenOf(stage)}&b=2`);
      expect(answer.status).toBe(200);
      expect(stage.upstream.requests.map(({ target }) => target)).toEqual(['/linked?a=1&b=2']);
    });

    it('with forward_authorization false the target sees no token, and none that nobody judged', async () => {
      const token = await tokenOf(stage);
      const headers = { cookie: `a=1; sid=${token}`, authorization: await stage.bearer({ sub: 'bob' }) };
      expect((await stage.gateway.fetch('/discreet', { headers })).status).toBe(200);
      const [request] = stage.upstream.requests;
      expect(request?.values('cookie')).toEqual(['a=1']);
      expect(request?.values('authorization')).toEqual([]);
      expect(request?.values('x-user-id')).toEqual(['alice']);
    });

    it('/forward-auth looks in the same places', async () => {
      const token = await tokenOf(stage);
      const decide = (uri: string, fields: Record<string, string>) =>
        stage.gateway.fetch('/forward-auth', {
          headers: {
            'cf-connecting-ip': '127.0.0.1',
            'x-forwarded-method': 'GET',
            'x-forwarded-uri': uri,
            ...fields,
          },
        });
      expect((await decide(`/linked?access_token=${token}`, {})).status).toBe(200);
      expect((await decide('/events', { cookie: `sid=${token}` })).status).toBe(200);
      await expectRefusal(
        await decide('/events', { cookie: `sid=${token}`, origin: 'https://evil.test' }),
        'forbidden',
      );
      await expectRefusal(await decide('/plain', { cookie: `sid=${token}` }), 'missing_token');
    });
  },
);

/** Field lines go out as they stand: fetch() would join those of one name. */
async function statusOf(stage: Stage, ...lines: string[]): Promise<number> {
  const { hostname, port, host } = new URL(stage.gateway.url);
  const sending = request({ hostname, port, path: '/events', headers: ['Host', host, ...lines] });
  sending.end();
  const [answer] = (await once(sending, 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode ?? 0;
}

gatewaySuite(
  'field lines that come twice are read alike by every runtime',
  { on: SOCKETS, onEach: true, rules: RULES, variables: () => ({ ALLOWED_ORIGINS: APP }) },
  (stage) => {
    it('cookies of several lines are one list', async () => {
      const cookie = `sid=${await tokenOf(stage)}`;
      for (const lines of [
        ['a=b', cookie],
        [cookie, 'a=b'],
      ])
        expect(await statusOf(stage, ...lines.flatMap((line) => ['Cookie', line]))).toBe(200);
    });

    it('two origins, or two words on the site, never pass for one that may', async () => {
      const cookie = ['Cookie', `sid=${await tokenOf(stage)}`];
      for (const [name, bad, good] of [
        ['Origin', 'https://evil.test', APP],
        ['Sec-Fetch-Site', 'cross-site', 'same-origin'],
      ] as const) {
        expect(await statusOf(stage, ...cookie, name, bad, name, good)).toBe(400);
        expect(await statusOf(stage, ...cookie, name, good, name, bad)).toBe(400);
      }
      expect(stage.upstream.requests).toHaveLength(0);
    });
  },
);

function dial(stage: Stage, protocols: string[], headers: Record<string, string> = {}): WebSocket {
  const socket = new WebSocket(`${stage.gateway.url.replace('http', 'ws')}/ws/echo`, protocols, { headers });
  socket.on('error', () => undefined);
  return socket;
}

const outcome = (socket: WebSocket): Promise<number | string> =>
  new Promise((resolve) => {
    socket.once('open', () => {
      resolve(`open ${socket.protocol}`);
    });
    socket.once('unexpected-response', (_request, answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    socket.once('error', (error) => {
      resolve(error.message);
    });
  });

gatewaySuite(
  'a WebSocket may bring its token',
  { on: SOCKETS, rules: RULES, variables: () => ({ ALLOWED_ORIGINS: APP }) },
  (stage) => {
    it('as a subprotocol beside a real one, which is what the upstream sees and agrees on', async () => {
      const socket = dial(stage, ['chat', `bearer.${await tokenOf(stage)}`]);
      expect(await outcome(socket)).toBe('open chat');
      expect(stage.upstream.requests[0]?.values('sec-websocket-protocol')).toEqual(['chat']);
      expect(stage.upstream.requests[0]?.values('x-user-id')).toEqual(['alice']);
      const answered = once(socket, 'message');
      socket.send('hello');
      expect(String((await answered)[0])).toBe('hello');
      socket.terminate();
    });

    it('as the only subprotocol: the answer names it, because browsers close without one', async () => {
      const token = await tokenOf(stage);
      const socket = dial(stage, [`bearer.${token}`]);
      expect(await outcome(socket)).toBe(`open bearer.${token}`);
      expect(stage.upstream.requests[0]?.values('sec-websocket-protocol')).toEqual([]);
      socket.terminate();
    });

    it('not when it is a bad one', async () => {
      expect(await outcome(dial(stage, ['chat', 'bearer.nobody']))).toBe(401);
      expect(stage.upstream.requests).toEqual([]);
    });

    it('in a cookie only with an Origin that may', async () => {
      const cookie = `sid=${await tokenOf(stage)}`;
      expect(await outcome(dial(stage, [], { cookie, origin: APP }))).toBe('open ');
      expect(await outcome(dial(stage, [], { cookie, origin: 'https://evil.test' }))).toBe(403);
      expect(await outcome(dial(stage, [], { cookie }))).toBe(403);
      expect(stage.upstream.requests).toHaveLength(1);
    });
  },
);
