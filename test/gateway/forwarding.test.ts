import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { answerOf, leave, open } from '../support/exchange.ts';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import { openRaw } from '../support/raw-socket.ts';
import { expectRefusal, expectStopped } from '../support/refusal.ts';
import { gatewaySuite } from '../support/suite.ts';

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

gatewaySuite('answers pass as they are', { on: SOCKETS }, (stage) => {
  it('nothing is decompressed', async () => {
    const packed = gzipSync('hello '.repeat(100));
    stage.upstream.on('/public/gzip', (incoming, outgoing) => {
      incoming.resume();
      outgoing.writeHead(200, { 'content-encoding': 'gzip', 'content-length': packed.length }).end(packed);
    });
    const answer = await stage.gateway.fetch('/public/gzip', { headers: { 'accept-encoding': 'gzip' } });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect(sha(new Uint8Array(await answer.arrayBuffer()))).toBe(sha(packed));
  });

  it('no redirect is followed', async () => {
    stage.upstream.on('/public/moved', (incoming, outgoing) => {
      incoming.resume();
      outgoing.writeHead(302, { location: '/admin/x' }).end();
    });
    const answer = await stage.gateway.fetch('/public/moved');
    expect(answer.status).toBe(302);
    expect(answer.headers.get('location')).toBe('/admin/x');
    expect(stage.upstream.requests).toHaveLength(1);
  });

  it.each([204, 304, 404, 500, 503])('status %d', async (status) => {
    stage.upstream.on('/public/status', (incoming, outgoing) => {
      incoming.resume();
      outgoing.writeHead(status).end();
    });
    expect((await stage.gateway.fetch('/public/status')).status).toBe(status);
  });

  it('HEAD gives the fields without the body', async () => {
    stage.upstream.on('/public/head', (incoming, outgoing) => {
      incoming.resume();
      outgoing.writeHead(200, { 'content-length': '5', 'x-own': 'kept' }).end();
    });
    const answer = await stage.gateway.fetch('/public/head', { method: 'HEAD' });
    expect(answer.headers.get('x-own')).toBe('kept');
    expect(await answer.text()).toBe('');
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('a body of %s arrives', async (method) => {
    await stage.gateway.fetch('/public/x', { method, body: 'content' });
    expect(stage.upstream.requests[0]?.method).toBe(method);
    expect(stage.upstream.requests[0]?.body()).toBe('content');
  });

  it('a client that asks first is told to go on', async () => {
    const raw = openRaw(stage.gateway.url);
    raw.send('POST /public/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n');
    raw.send('ok');
    await raw.until(/HTTP\/1\.1 200/);
    expect(stage.upstream.requests[0]?.body()).toBe('ok');
    raw.destroy();
  });
});

gatewaySuite('a body over MAX_BODY_BYTES', { variables: () => ({ MAX_BODY_BYTES: '1000' }) }, (stage) => {
  it('is refused when it is declared, and nothing of it is forwarded', async () => {
    const sent = stage.gateway.fetch('/public/x', { method: 'POST', body: 'x'.repeat(1001) });
    await expectStopped(sent, 'body_too_large', stage.upstream);
  });

  it('passes at exactly the bound', async () => {
    const answer = await stage.gateway.fetch('/public/x', { method: 'POST', body: 'x'.repeat(1000) });
    expect(answer.status).toBe(200);
    expect(stage.upstream.requests[0]?.body()).toHaveLength(1000);
  });

  it.runIf(stage.runtime !== 'in process')(
    'is refused while it streams, and the upstream never gets it whole',
    async () => {
      const call = open(stage, '/public/x', { method: 'POST' });
      const answered = answerOf(call);
      call.write('x'.repeat(600));
      call.write('x'.repeat(600));
      const answer = await answered;
      expect(answer.statusCode).toBe(413);
      expect(stage.upstream.requests.map((recorded) => recorded.complete())).not.toContain(true);
      leave(call);
    },
  );
});

gatewaySuite('an upstream that fails', {}, (stage) => {
  it('is upstream_timeout when it does not answer in time', async () => {
    stage.upstream.on('/slow', (incoming) => void incoming.resume());
    await expectRefusal(await stage.gateway.fetch('/slow'), 'upstream_timeout');
  });

  it.runIf(stage.runtime !== 'in process').each([
    ['a request without a body', {}],
    ['one with a body', { method: 'POST', body: 'whole' }],
  ])('gets no more of what timed out: %s', async (_what, sent) => {
    stage.upstream.on('/slow', (incoming) => void incoming.resume());
    const arriving = stage.upstream.next();
    await expectRefusal(await stage.gateway.fetch('/slow', sent), 'upstream_timeout');
    await (await arriving).gone();
  });

  it('is upstream_unreachable when it cuts the connection, and is asked once only', async () => {
    stage.upstream.on('/public/cut', (incoming) => void incoming.socket.destroy());
    const sent = { method: 'POST', body: 'once' };
    await expectRefusal(await stage.gateway.fetch('/public/cut', sent), 'upstream_unreachable');
    expect(stage.upstream.requests).toHaveLength(1);
  });

  it('never rests: after any number of failures the next request reaches it', async () => {
    for (let n = 0; n < 12; n++)
      await expectRefusal(await stage.gateway.fetch('/closed/x'), 'upstream_unreachable');
    for (let n = 0; n < 6; n++) await expectRefusal(await stage.gateway.fetch('/slow'), 'upstream_timeout');
    expect((await stage.gateway.fetch('/public/x')).status).toBe(200);
  });

  it('is shown in /ready, which stays ready: no caller takes an instance out of service', async () => {
    await stage.gateway.fetch('/closed/x');
    // An attempt is not waited for, and a report is kept for a second.
    await expect
      .poll(async () => (await stage.gateway.fetch('/ready')).json())
      .toMatchObject({
        ready: true,
        dependencies: {
          target_upstream: { needed: false, up: true, state: 'up' },
          target_closed: { needed: false, up: false, state: 'away' },
        },
      });
  });
});
