import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import { exchange, openRaw } from '../support/raw-socket.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';

function dial(stage: Stage, path: string, headers: Record<string, string> = {}): WebSocket {
  const socket = new WebSocket(stage.gateway.url.replace('http', 'ws') + path, { headers });
  socket.on('error', () => undefined);
  return socket;
}

const refusedWith = (socket: WebSocket): Promise<number> =>
  new Promise((resolve) => {
    socket.on('unexpected-response', (_request, answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
  });

gatewaySuite('WebSocket upgrades pass, once they are allowed', { on: SOCKETS, onEach: true }, (stage) => {
  it('messages pass both ways, text and binary', async () => {
    const socket = dial(stage, '/ws/echo?room=1', { authorization: await stage.bearer() });
    await once(socket, 'open');
    for (const [sent, binary] of [
      ['hello', false],
      [Buffer.from([0, 255]), true],
    ] as const) {
      const answered = once(socket, 'message');
      socket.send(sent);
      const [data, isBinary] = (await answered) as [Buffer, boolean];
      expect(isBinary).toBe(binary);
      expect(data).toEqual(Buffer.from(sent));
    }
    expect(stage.upstream.requests[0]?.target).toBe('/ws/echo?room=1');
    socket.close();
    await once(socket, 'close');
  });

  it('the upstream learns who connects, and not from the client', async () => {
    const socket = dial(stage, '/ws/echo', { authorization: await stage.bearer(), 'x-user-id': 'admin' });
    await once(socket, 'open');
    expect(stage.upstream.requests[0]?.values('x-user-id')).toEqual(['alice']);
    expect(stage.upstream.requests[0]?.values('x-gateway-assertion')).toHaveLength(1);
    socket.terminate();
  });

  it('Host is kept where the rule says preserve_host, as for any request', async () => {
    const headers = { authorization: await stage.bearer(), host: 'api.example.org' };
    const socket = dial(stage, '/hosted/echo', headers);
    await once(socket, 'open');
    const kept = stage.runtime === 'node' ? 'api.example.org' : new URL(stage.upstream.url).host;
    expect(stage.upstream.requests[0]?.values('host')).toEqual([kept]);
    socket.terminate();
  });

  it('without a token there is no upgrade', async () => {
    expect(await refusedWith(dial(stage, '/ws/echo'))).toBe(401);
    expect(stage.upstream.requests).toEqual([]);
  });

  it('a refusal by the upstream passes on', async () => {
    const socket = dial(stage, '/ws/refused', { authorization: await stage.bearer() });
    expect(await refusedWith(socket)).toBe(403);
  });

  it('a refusal that the upstream cuts short is cut short', async () => {
    const socket = dial(stage, '/ws/cut', { authorization: await stage.bearer() });
    const body = new Promise<string>((resolve) => {
      socket.on('unexpected-response', (_request, answer) => {
        let text = '';
        answer.on('error', () => undefined);
        answer.on('data', (chunk) => (text += String(chunk)));
        answer.on('close', () => {
          resolve(text);
        });
      });
    });
    expect(await body).toBe('half');
  });

  it('a client that goes away closes the connection at the upstream', async () => {
    const socket = dial(stage, '/ws/echo', { authorization: await stage.bearer() });
    await once(socket, 'open');
    const [recorded] = stage.upstream.requests;
    socket.terminate();
    await recorded!.gone();
  });

  it('an upgrade with a body is refused: it could begin another request at the upstream', async () => {
    const hidden = 'GET /admin/smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
    const text = await exchange(
      stage.gateway.url,
      `GET /ws/refused HTTP/1.1\r\nHost: a\r\nAuthorization: ${await stage.bearer()}\r\nConnection: Upgrade\r\n` +
        `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
        `Content-Length: ${hidden.length}\r\n\r\n${hidden}`,
    );
    expect(stage.upstream.requests.map(({ target }) => target)).not.toContain('/admin/smuggled');
    if (stage.runtime === 'node') expect(text).toMatch(/^HTTP\/1\.1 400 [\s\S]*invalid_request/);
  });

  it('the switch waits for the answers to the requests before it', async () => {
    // workerd takes nothing behind a request that it still answers.
    if (stage.runtime === 'workerd') return;
    const raw = openRaw(stage.gateway.url);
    raw.send(
      'GET /public/before HTTP/1.1\r\nHost: a\r\n\r\n' +
        `GET /ws/echo HTTP/1.1\r\nHost: a\r\nAuthorization: ${await stage.bearer()}\r\nConnection: Upgrade\r\n` +
        'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    await raw.until(/^HTTP\/1\.1 200 [^]*\/public\/before[^]*HTTP\/1\.1 101 /);
    raw.destroy();
  });

  describe('an upgrade to another protocol is ignored (RFC 9110 §7.8)', () => {
    const WEBSOCKET =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
    const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';

    it('the request is answered in HTTP/1.1, and nothing of the offer reaches the upstream', async () => {
      const text = await exchange(
        stage.gateway.url,
        `GET /public/x HTTP/1.1\r\nHost: a\r\n${offer}X-Kept: yes\r\n\r\n`,
      );
      expect(text).toMatch(/^HTTP\/1\.1 200 /);
      const [request] = stage.upstream.requests;
      expect(request?.values('x-kept')).toEqual(['yes']);
      expect(request?.values('upgrade')).toEqual([]);
      expect(request?.values('http2-settings')).toEqual([]);
    });

    it('its body arrives whole, and so does the request behind it', async () => {
      const raw = openRaw(stage.gateway.url);
      raw.send(
        `POST /public/x HTTP/1.1\r\nHost: a\r\n${offer}Content-Length: 5\r\n\r\nhello` +
          'GET /public/y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      );
      const text = await raw.closed;
      expect(text.match(/HTTP\/1\.1 200 /g)).toHaveLength(2);
      expect(stage.upstream.requests.map((request) => [request.target, request.body()])).toEqual([
        ['/public/x', 'hello'],
        ['/public/y', ''],
      ]);
    });

    it.each([
      ['all with the offer', [offer, offer, offer, offer]],
      ['every other one', ['', offer, '', offer]],
    ])('every pipelined request is answered, in order (RFC 9112 §9.3.2): %s', async (_how, offers) => {
      const raw = openRaw(stage.gateway.url);
      const requests = offers.map((one, n) => `GET /public/${n} HTTP/1.1\r\nHost: a\r\n${one}\r\n`);
      raw.send(`${requests.join('')}GET /public/last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      const text = await raw.closed;
      expect(text.match(/HTTP\/1\.1 200 /g)).toHaveLength(5);
      const targets = ['/public/0', '/public/1', '/public/2', '/public/3', '/public/last'];
      expect(stage.upstream.requests.map(({ target }) => target)).toEqual(targets);
      expect(text.match(/\/public\/\w+/g)).toEqual(targets);
    });

    it.each(['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS'])(
      'a WebSocket is for GET alone (RFC 6455 §4.1): %s is a plain request',
      async (method) => {
        const text = await exchange(
          stage.gateway.url,
          `${method} /public/x HTTP/1.1\r\nHost: a\r\n${WEBSOCKET}Content-Length: 0\r\n\r\n`,
        );
        expect(text).toMatch(/^HTTP\/1\.1 200 /);
        expect(stage.upstream.requests.map((request) => request.values('upgrade'))).toEqual([[]]);
      },
    );

    it('in HTTP/1.0 every offer is ignored', async () => {
      // workerd shows a Worker no version.
      if (stage.runtime === 'workerd') return;
      const text = await exchange(stage.gateway.url, `GET /public/x HTTP/1.0\r\nHost: a\r\n${WEBSOCKET}\r\n`);
      expect(text).toMatch(/^HTTP\/1\.1 200 /);
      expect(stage.upstream.requests.map((request) => request.values('upgrade'))).toEqual([[]]);
    });

    it('what is judged is still judged: the rules hold for it', async () => {
      const text = await exchange(stage.gateway.url, `GET /nowhere HTTP/1.1\r\nHost: a\r\n${offer}\r\n`);
      expect(text).toMatch(/^HTTP\/1\.1 403 |^HTTP\/1\.1 404 /);
      expect(stage.upstream.requests).toEqual([]);
    });
  });

  it('the gateway is still there', async () => {
    expect((await stage.gateway.fetch('/public/x')).status).toBe(200);
  });
});
