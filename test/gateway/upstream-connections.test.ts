import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { node } from '../support/gateway/node.ts';
import type { RunningGateway } from '../support/gateway/runtime.ts';
import { openRaw, type RawSocket } from '../support/raw-socket.ts';
import { startRawUpstream, type RawUpstream } from '../support/raw-upstream.ts';
import { openWorld, type World } from '../support/world.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const HALF = 1_024 / 2;

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
      else if (path !== '/slow' && path !== '/me/never') socket.write(OK);
    });
    gateway = await node.start({
      ...world.variables,
      UPSTREAM_URL: upstream.url,
      // Callers have addresses of their own, and none of them waits for its time-out.
      TRUSTED_PROXIES: '127.0.0.1/32',
      UPSTREAM_TIMEOUT_MS: '600000',
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

  it('one address holds half of them, however many tokens it has: others are served, who waits in vain gets 504', async () => {
    const open: RawSocket[] = [];
    const ask = async (path: string, address: string, sub: string): Promise<RawSocket> => {
      const raw = openRaw(gateway.url);
      const fields = `X-Forwarded-For: ${address}\r\nAuthorization: ${await tokenOf(sub)}`;
      raw.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n`);
      open.push(raw);
      return raw;
    };
    const tokens = new Map<string, Promise<string>>();
    const tokenOf = (sub: string): Promise<string> => {
      const made = tokens.get(sub) ?? world.bearer({ sub });
      tokens.set(sub, made);
      return made;
    };
    for (let n = 0; n < HALF; n++) await ask('/me/never', '192.0.2.1', `holder-${n % 4}`);
    await expect.poll(() => count('/me/never')).toBe(HALF);
    const left = await ask('/me/left', '192.0.2.1', 'left');
    const late = await ask('/me/late', '192.0.2.1', 'late');
    const other = await ask('/me/end', '192.0.2.2', 'other');
    expect(await other.until(/ok$/)).toContain('HTTP/1.1 200');
    left.destroy();
    expect(await late.until(/request_id/)).toMatch(/^HTTP\/1\.1 504 [^]*The request was not sent/);
    expect([count('/me/late'), count('/me/left')]).toEqual([0, 0]);
    // One of them leaves: the next one of the same address comes in, and nothing is sent for who left.
    open[0]?.destroy();
    const next = await ask('/me/end', '192.0.2.1', 'next');
    expect(await next.until(/ok$/)).toContain('HTTP/1.1 200');
    expect(count('/me/left')).toBe(0);
    for (const raw of open) raw.destroy();
  }, 180_000);
});
