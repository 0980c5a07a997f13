import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { node } from '../support/gateway/node.ts';
import type { RunningGateway } from '../support/gateway/runtime.ts';
import { openRaw, type RawSocket } from '../support/raw-socket.ts';
import { startRawUpstream, type RawUpstream } from '../support/raw-upstream.ts';
import { openWorld, type World } from '../support/world.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const HALF = 1_024 / 2;

/** A caller behind the trusted proxy that the test is. */
const from = (address: string): string => `X-Forwarded-For: ${address}\r\n`;

describe('connections to a target (node)', () => {
  let world: World;
  let upstream: RawUpstream;
  let gateway: RunningGateway;

  beforeAll(async () => {
    world = await openWorld();
    upstream = await startRawUpstream(({ path, nth, socket }) => {
      // A connection that ends at the moment it is used again.
      if (path.startsWith('/public/stale') && nth > 1) socket.destroy();
      else if (path === '/public/cut') socket.destroy();
      else if (path === '/public/half') socket.end('HTTP/1.1 20');
      else if (path === '/public/hints') socket.end('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
      else if (path === '/public/large')
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 99000000\r\n\r\n${'x'.repeat(99_000)}`);
      else if (path !== '/slow' && path !== '/public/never') socket.write(OK);
    });
    gateway = await node.start({
      ...world.variables,
      UPSTREAM_URL: upstream.url,
      TRUSTED_PROXIES: '127.0.0.1/32',
    });
  });
  afterAll(async () => {
    await gateway.close();
    await upstream.close();
    await world.close();
  });

  const count = (path: string): number => upstream.seen.filter((one) => one.includes(`${path} `)).length;
  const statusOf = async (path: string, method = 'GET', body?: string): Promise<number> =>
    (await gateway.fetch(path, { method, ...(body !== undefined && { body }) })).status;

  it.each(['GET', 'HEAD', 'OPTIONS'])(
    'an idle one that ends as %s meets it costs no request: it is sent once more, on a fresh one',
    async (method) => {
      const path = `/public/stale-${method}`;
      const statuses: number[] = [];
      for (let n = 0; n < 50; n++) {
        // HEAD leaves no connection behind; this does.
        await gateway.fetch('/public/x');
        statuses.push(await statusOf(path, method));
      }
      expect(statuses.filter((status) => status !== 200)).toEqual([]);
      const again = upstream.seen.filter((one) => one.startsWith(`${method} ${path} `));
      expect(again).toHaveLength(100);
      expect(again.filter((one) => one.endsWith(' #1'))).toHaveLength(50);
    },
  );

  it.each([
    ['POST', ''],
    ['DELETE', undefined],
    ['GET', 'a body'],
  ])('what an upstream may have acted on is not sent again: %s %o', async (method, body) => {
    await gateway.fetch('/public/x');
    const path = `/public/stale-once-${method}`;
    expect(await statusOf(path, method, body)).toBe(502);
    expect(count(path)).toBe(1);
  });

  it.each(['/public/half', '/public/hints'])('nor what an answer had begun to: %s', async (path) => {
    await gateway.fetch('/public/x');
    expect(await statusOf(path)).toBe(502);
    expect(count(path)).toBe(1);
  });

  it('nor what was late', async () => {
    await gateway.fetch('/public/x');
    expect(await statusOf('/slow')).toBe(504);
    expect(count('/slow')).toBe(1);
  });

  it('an upstream that cuts each connection is tried twice at most', async () => {
    await gateway.fetch('/public/x');
    expect(await statusOf('/public/cut')).toBe(502);
    expect(count('/public/cut')).toBe(2);
    expect(await statusOf('/public/cut')).toBe(502);
    // There was no idle connection left: the first one was opened for it.
    expect(count('/public/cut')).toBe(3);
  });

  it('slow readers at one address hold half of them: others are served, and who waits in vain gets 504', async () => {
    const readers: RawSocket[] = [];
    const ask = (path: string, address: string): RawSocket => {
      const raw = openRaw(gateway.url);
      raw.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n${from(address)}\r\n`);
      readers.push(raw);
      return raw;
    };
    for (let n = 0; n < HALF; n++) {
      const raw = ask('/public/large', '192.0.2.1');
      await raw.until(/\r\n\r\n/);
      raw.socket.pause();
    }
    const late = ask('/public/large', '192.0.2.1');
    const another = ask('/public/end', '192.0.2.2');
    expect(await another.until(/ok$/)).toContain('HTTP/1.1 200');
    expect(await late.until(/request_id/)).toMatch(/^HTTP\/1\.1 504 [^]*The request was not sent/);
    expect(count('/public/large')).toBe(HALF);
    // One of them leaves: the next one of the same address comes in.
    readers[0]?.destroy();
    expect(await ask('/public/end', '192.0.2.1').until(/ok$/)).toContain('HTTP/1.1 200');
    for (const raw of readers) raw.destroy();
  }, 120_000);

  it('a caller that leaves while it waits is waited for no longer', async () => {
    const all = Array.from({ length: HALF }, () => openRaw(gateway.url));
    for (const raw of all) raw.send(`GET /public/never HTTP/1.1\r\nHost: a\r\n${from('192.0.2.3')}\r\n`);
    await expect.poll(() => count('/public/never'), { timeout: 60_000 }).toBe(HALF);
    const call = request(`${gateway.url}/public/end`, {
      agent: false,
      headers: { 'x-forwarded-for': '192.0.2.3' },
    });
    call.on('error', () => undefined).end();
    // Its request has arrived: a later one from elsewhere is answered.
    expect(await statusOf('/public/x')).toBe(200);
    call.destroy();
    for (const raw of all) raw.destroy();
    const last = request(`${gateway.url}/public/last`, {
      agent: false,
      headers: { 'x-forwarded-for': '192.0.2.3' },
    });
    last.end();
    const [answer] = (await once(last, 'response')) as [IncomingMessage];
    expect(answer.resume().statusCode).toBe(200);
    expect(count('/public/end')).toBeLessThanOrEqual(2);
  }, 120_000);
});
