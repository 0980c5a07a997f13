import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request, type RequestOptions } from 'node:https';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { nginxMissing, startNginx, type NginxService } from '../services/nginx.ts';
import { node } from '../support/gateway/node.ts';
import type { RunningGateway } from '../support/gateway/runtime.ts';
import { openWorld, type World } from '../support/world.ts';

/** Where the test's client connects from: another address than nginx's own, which is the trusted one. */
const CLIENT = '127.0.0.9';
const MIB = 1_048_576;

interface Received {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

describe.skipIf(nginxMissing)('nginx (needs the nginx package)', () => {
  let world: World;
  let gateway: RunningGateway;
  let nginx: NginxService;

  const send = async (path: string, options: RequestOptions = {}, body?: Buffer): Promise<Received> => {
    const sent = request({
      ...{ host: '127.0.0.1', port: nginx.port, path, localAddress: CLIENT, rejectUnauthorized: false },
      ...options,
    });
    // The rest of an upload that was answered early has nowhere to go; without an answer `once` rejects all the same.
    sent.on('error', () => undefined);
    sent.on('socket', (socket) => socket.on('error', () => undefined));
    const answered = once(sent, 'response');
    sent.end(body);
    const [response] = (await answered) as [IncomingMessage];
    return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
  };
  const start = async (file: string): Promise<void> => {
    world = await openWorld();
    gateway = await node.start({ ...world.variables, TRUSTED_PROXIES: '127.0.0.1' });
    nginx = await startNginx(file, {
      '127.0.0.1:3000': new URL(gateway.url).host,
      '127.0.0.1:8080': new URL(world.upstream.url).host,
    });
  };
  const stop = async (): Promise<void> => {
    await nginx.close();
    await gateway.close();
    await world.close();
  };

  const passesOn = (): void => {
    it('lets pass what a rule lets pass, and the API learns who it is', async () => {
      const answer = await send('/me', { headers: { authorization: await world.bearer() } });
      expect(answer.status).toBe(200);
      expect(world.upstream.requests.at(-1)?.values('x-user-id')).toEqual(['alice']);
      expect(world.upstream.requests.at(-1)?.values('x-gateway-assertion')).toHaveLength(1);
    });

    it('believes no identity and no address that a client claims', async () => {
      const headers = { 'x-user-id': 'admin', 'x-forwarded-for': '203.0.113.9', 'x-forwarded-host': 'evil' };
      expect((await send('/public/claims', { headers })).status).toBe(200);
      const seen = world.upstream.requests.at(-1);
      expect(seen?.values('x-user-id')).toEqual([]);
      expect(seen?.values('x-forwarded-for')).toEqual([CLIENT]);
      expect(seen?.values('x-forwarded-proto')).toEqual(['https']);
      expect(seen?.values('x-forwarded-host')).not.toContain('evil');
    });

    it.each(['/public/..%2fadmin', '/public//me', '/public/%2e%2e/me'])(
      'refuses %s, which two servers read in two ways, and forwards nothing',
      async (path) => {
        const before = world.upstream.requests.length;
        expect((await send(path)).status).toBe(400);
        expect(world.upstream.requests).toHaveLength(before);
      },
    );

    it('passes the status of a refusal on, with its challenge or its pause', async () => {
      const missing = await send('/me');
      expect(missing.status).toBe(401);
      expect(missing.headers['www-authenticate']).toMatch(/^Bearer[^,]*$/);
      expect(missing.headers['content-type']).toContain('application/problem+json');
      expect(JSON.parse(missing.body)).toMatchObject({ request_id: missing.headers['x-request-id'] });
      const authorization = await world.bearer({ sub: 'carol' });
      expect((await send('/admin/x', { headers: { authorization } })).status).toBe(403);
      const limited = await Promise.all(Array.from({ length: 4 }, () => send('/few/public')));
      const refused = limited.find(({ status }) => status === 429);
      expect(refused?.headers['retry-after']).toMatch(/^\d+$/);
    });

    it('passes a large upload on as it comes', async () => {
      const answer = await send('/public/upload', { method: 'POST' }, Buffer.alloc(2 * MIB));
      expect(answer.status).toBe(200);
      expect(world.upstream.requests.at(-1)?.body()).toHaveLength(2 * MIB);
    });

    it('passes an event stream on event by event', async () => {
      let finish = (): void => undefined;
      world.upstream.on('/public/events', (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: one\n\n');
        finish = () => response.end('data: two\n\n');
      });
      const sent = request({
        ...{ host: '127.0.0.1', port: nginx.port, path: '/public/events', rejectUnauthorized: false },
      }).end();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      const [first] = (await once(response, 'data')) as [Buffer];
      expect(first.toString()).toBe('data: one\n\n');
      finish();
      expect(await text(response)).toBe('data: two\n\n');
    });

    it('passes a WebSocket on, once it is allowed', async () => {
      const dial = (headers: Record<string, string>): WebSocket =>
        new WebSocket(`wss://127.0.0.1:${nginx.port}/ws/echo`, { headers, rejectUnauthorized: false });
      const socket = dial({ authorization: await world.bearer() });
      await once(socket, 'open');
      const echoed = once(socket, 'message');
      socket.send('hello');
      expect(String((await echoed)[0])).toBe('hello');
      socket.terminate();
      const stranger = dial({});
      stranger.on('error', () => undefined);
      const [, refusal] = (await once(stranger, 'unexpected-response')) as [unknown, { statusCode: number }];
      expect(refusal.statusCode).toBe(401);
      stranger.terminate();
    });
  };

  describe('in front, by deploy/nginx/in-front.conf', () => {
    beforeAll(() => start('deploy/nginx/in-front.conf'));
    afterAll(stop);
    passesOn();

    it('leaves the bound of bodies to the gateway', async () => {
      const answer = await send('/public/upload', { method: 'POST' }, Buffer.alloc(11 * MIB));
      expect(answer.status).toBe(413);
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'body_too_large' });
    });
  });

  describe('beside, by deploy/nginx/auth-request.conf', () => {
    beforeAll(() => start('deploy/nginx/auth-request.conf'));
    afterAll(stop);
    passesOn();

    it('leaves answers of the API alone, whatever their status', async () => {
      world.upstream.on('/public/broken', (_request, response) => response.writeHead(500).end('of the API'));
      expect(await send('/public/broken')).toMatchObject({ status: 500, body: 'of the API' });
    });

    it('lets nobody pass while the gateway is away', async () => {
      const before = world.upstream.requests.length;
      await gateway.close();
      expect((await send('/public/hello')).status).toBe(503);
      expect(world.upstream.requests).toHaveLength(before);
      gateway = await node.start({ ...world.variables, TRUSTED_PROXIES: '127.0.0.1' });
    });
  });
});
