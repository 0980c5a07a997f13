import type { IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { FULL } from '../support/scale.ts';
import { answerOf, open } from '../support/exchange.ts';
import type { Runtime } from '../support/gateway/runtime.ts';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import { exchange, openRaw } from '../support/raw-socket.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';
import { openWorld } from '../support/world.ts';

const bodyOf = async (answer: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  return text;
};

/** Time passes by what others wait for: longer than this path's own time-out. */
async function timeOutsPass(stage: Stage): Promise<void> {
  stage.upstream.on('/slow', (incoming, outgoing) => {
    if (incoming.method === 'GET') incoming.resume();
    else {
      incoming.on('end', () => outgoing.end('read'));
      incoming.resume();
    }
  });
  for (let n = 0; n < 3; n++) expect((await stage.gateway.fetch('/slow')).status).toBe(504);
}

gatewaySuite('the time of an upload is not the time of the upstream', { on: SOCKETS }, (stage) => {
  it.each([
    ['of declared length', { 'content-length': '10' }],
    ['in chunks', {}],
  ])('timeout_ms begins when the body is sent: %s', async (_how, headers) => {
    const call = open(stage, '/slow', { method: 'POST', headers });
    call.write('first');
    await timeOutsPass(stage);
    call.end('last.');
    const answer = await answerOf(call);
    expect([answer.statusCode, await bodyOf(answer)]).toEqual([200, 'read']);
  });

  it('and then it counts', async () => {
    stage.upstream.on('/slow', (incoming) => void incoming.resume());
    expect((await stage.gateway.fetch('/slow', { method: 'POST', body: 'whole' })).status).toBe(504);
  });

  it('an upstream that takes no more of a body is late', async () => {
    stage.upstream.on('/slow', (incoming) => void incoming.pause());
    const call = open(stage, '/slow', { method: 'POST' });
    const answered = answerOf(call);
    call.write(Buffer.alloc(9_000_000));
    expect((await answered).statusCode).toBe(504);
    call.destroy();
  });
});

it.skipIf(!FULL)(
  'a caller that falls silent in its body gets 408 and is closed, after 30 s of its own; others are served',
  async () => {
    const world = await openWorld();
    const declared = 'Content-Length: 500\r\n\r\nhello';
    const chunked = 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n';
    const uploads = [
      ['POST', declared],
      ['POST', chunked],
      ['PUT', chunked],
      ['DELETE', declared],
      ['OPTIONS', declared],
      // workerd hands these two on by itself.
      ['GET', declared],
      ['HEAD', declared],
    ] as const;
    // At the same time on both: they only wait.
    const silentAt = async (runtime: Runtime): Promise<void> => {
      const gateway = await runtime.start(world.variables);
      const texts = uploads.map(async ([method, rest]) => {
        const raw = openRaw(gateway.url);
        raw.send(`${method} /slow HTTP/1.1\r\nHost: a\r\n${rest}`);
        return [method, await raw.closed] as const;
      });
      expect((await gateway.fetch('/public/x')).status).toBe(200);
      for (const [method, text] of await Promise.all(texts))
        expect(text).toMatch(
          method === 'HEAD' ? /^HTTP\/1\.1 408 / : /^HTTP\/1\.1 408 [^]*"code":"request_timeout"/,
        );
      expect((await gateway.fetch('/public/x')).status).toBe(200);
      await gateway.close();
    };
    await Promise.all(SOCKETS.map(silentAt));
    await world.close();
  },
  180_000,
);

gatewaySuite('an answer that comes before the body has ended', { on: SOCKETS }, (stage) => {
  it('passes on, and the connection serves the next request after the rest of the body', async () => {
    stage.upstream.on('/public/early', (_incoming, outgoing) => {
      outgoing.writeHead(413, { 'content-length': '2', connection: 'close' }).end('no');
    });
    const raw = openRaw(stage.gateway.url);
    raw.send(`POST /public/early HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n${'x'.repeat(1_000)}`);
    await raw.until(/HTTP\/1\.1 413[^]*\r\n\r\nno$/);
    // workerd closes such a connection once it has answered.
    if (stage.runtime === 'workerd') return;
    raw.send('x'.repeat(299_000));
    raw.send('GET /public/next HTTP/1.1\r\nHost: a\r\n\r\n');
    await raw.until(/HTTP\/1\.1 200[^]*\/public\/next/);
    raw.destroy();
  });
});

gatewaySuite('a client that leaves in its upload after the answer began', { on: SOCKETS }, (stage) => {
  it.each([
    ['POST', 'Content-Length: 500\r\n\r\nhello'],
    ['POST', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'],
    ['GET', 'Content-Length: 500\r\n\r\nhello'],
  ])('ends the upload, and is no fault of the gateway: %s %j', async (method, rest) => {
    stage.upstream.on('/public/begun', (incoming, outgoing) => {
      incoming.on('error', () => undefined);
      outgoing.write('begun');
    });
    const raw = openRaw(stage.gateway.url);
    raw.send(`${method} /public/begun HTTP/1.1\r\nHost: a\r\n${rest}`);
    await raw.until(/begun/);
    raw.destroy();
    const [recorded] = stage.upstream.requests;
    await recorded!.gone();
    expect(recorded!.complete()).toBe(false);
    // Behind what the runtime has to say of the request before.
    expect((await stage.gateway.fetch('/public/x')).status).toBe(200);
    expect(stage.gateway.output()).not.toMatch(/Uncaught|internal_error/);
  });
});

gatewaySuite('a body is one, whatever its method', { on: SOCKETS }, (stage) => {
  const METHODS = ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST', 'PUT', 'PATCH'] as const;
  const send = (method: string, rest: string): Promise<string> =>
    exchange(stage.gateway.url, `${method} /public/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${rest}`);

  it.each(METHODS)('%s with Content-Length', async (method) => {
    for (let n = 0; n < 7; n++) expect(await send(method, 'Content-Length: 5\r\n\r\nhello')).toMatch(/ 200 /);
    expect(stage.upstream.requests.map((request) => [request.method, request.body()])).toEqual(
      Array(7).fill([method, 'hello']),
    );
  });

  it.each(METHODS)('%s of length 0', async (method) => {
    expect(await send(method, 'Content-Length: 0\r\n\r\n')).toMatch(/ 200 /);
    expect(stage.upstream.requests.map((request) => [request.method, request.body()])).toEqual([
      [method, ''],
    ]);
  });

  it.each(METHODS)('%s in chunks', async (method) => {
    const text = await send(method, 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n');
    // fetch sends none for these two but one whose length is known: 400 to this caller, with the reason.
    if (stage.runtime === 'workerd' && (method === 'GET' || method === 'HEAD')) {
      expect(text).toMatch(/^HTTP\/1\.1 400 /);
      if (method === 'GET') expect(text).toContain('Declare the length of this body');
      expect(stage.upstream.requests).toEqual([]);
      return;
    }
    expect(text).toMatch(/ 200 /);
    expect(stage.upstream.requests.map((request) => request.body())).toEqual(['hello']);
  });
});

gatewaySuite('fields that are none', { on: SOCKETS }, (stage) => {
  it.each([
    ['a byte over 0x7F in a name', 'X-\xe9: v'],
    ['two bytes over 0x7F in a name', 'X-\xc3\xa9: v'],
    ['a look-alike of X-User-ID', 'X-User-I\xc4\xb0: v'],
    ['a control character in a value', 'X-A: a\x01b'],
    ['DEL in a value', 'X-A: a\x7fb'],
  ])('%s: 400, nothing is forwarded', async (_what, field) => {
    const bytes = Buffer.from(
      `GET /public/x HTTP/1.1\r\nHost: a\r\n${field}\r\nConnection: close\r\n\r\n`,
      'latin1',
    );
    expect(await exchange(stage.gateway.url, bytes)).toMatch(/^HTTP\/1\.1 400 [^]*"invalid_request"/);
    expect(stage.upstream.requests).toEqual([]);
  });

  it('a value in UTF-8 and a tab pass as they are', async () => {
    const bytes = Buffer.from(
      'GET /public/x HTTP/1.1\r\nHost: a\r\nX-A: gr\u00fc\u00df\te\r\nConnection: close\r\n\r\n',
    );
    expect(await exchange(stage.gateway.url, bytes)).toMatch(/^HTTP\/1\.1 200 /);
    expect(Buffer.from(stage.upstream.requests[0]?.values('x-a')[0] ?? '', 'latin1').toString()).toBe(
      'gr\u00fc\u00df\te',
    );
  });
});
