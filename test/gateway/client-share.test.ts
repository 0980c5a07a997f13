import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { watchConnections, type ConnectionLimits } from '../../functions/node/connections.ts';
import { leave, open } from '../support/exchange.ts';
import { node } from '../support/gateway/node.ts';
import { openRaw } from '../support/raw-socket.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';

const MIB = 1024 * 1024;
const HOST = 'Host: gateway.test\r\n';
const get = (target: string, fields = ''): string => `GET ${target} HTTP/1.1\r\n${HOST}${fields}\r\n`;
const targets = (stage: Stage): string[] => stage.upstream.requests.map(({ target }) => target);

gatewaySuite('one caller has no more than its share of answers', { on: [node] }, (stage) => {
  it('the 257th at a time waits for one of its own to end; others do not wait', async () => {
    const held: ServerResponse[] = [];
    stage.upstream.on('/public/held', (incoming, outgoing) => {
      incoming.resume();
      held.push(outgoing);
    });
    const calls = Array.from({ length: 256 }, () => open(stage, '/public/held').end());
    await expect.poll(() => held.length).toBe(256);
    const waiting = stage.gateway.fetch('/public/last');
    // Of the same address, but somebody else.
    const other = await stage.gateway.fetch('/me', { headers: { authorization: await stage.bearer() } });
    expect(other.status).toBe(200);
    expect(targets(stage)).not.toContain('/public/last');
    held[0]?.end('done');
    expect((await waiting).status).toBe(200);
    for (const call of calls) leave(call);
    await expect.poll(() => held.slice(1).every((response) => response.destroyed)).toBe(true);
    expect((await stage.gateway.fetch('/public/x')).status).toBe(200);
  });
});

describe('client connections are bounded', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  async function watched(limits: Partial<ConnectionLimits>, trusted: string[] = []) {
    let now = 0;
    const cuts: string[] = [];
    const lines: unknown[] = [];
    const note = (message: string, fields: unknown): void => void lines.push([message, fields]);
    server = createServer((_request, response) => {
      response.writeHead(200, { 'content-length': String(64 * MIB) });
      let left = 64;
      const pump = (): void => {
        while (left > 0 && response.write(Buffer.alloc(MIB))) left -= 1;
        if (left-- <= 0) response.end();
      };
      response.on('drain', pump);
      pump();
    });
    const connections = watchConnections(
      server,
      { perAddress: 10, stalledMs: 1_000, halfClosedMs: 1_000, ...limits },
      {
        proxies: { trusts: (address) => trusted.includes(address) },
        clock: { now: () => now },
        log: { debug: note, info: note, warn: note, error: note },
        cut: (why) => void cuts.push(why),
      },
    );
    connections.stop();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const advance = (ms: number): void => void (now += ms);
    return { connections, url, cuts, lines, advance };
  }

  it('one that reads nothing of a large answer is cut, one that reads is not', async () => {
    const { connections, url, cuts, advance } = await watched({});
    const lazy = openRaw(url);
    lazy.socket.pause();
    lazy.send(get('/'));
    const [{ socket }] = (await once(server!, 'request')) as [IncomingMessage];
    const reader = openRaw(url);
    reader.send(get('/', 'Connection: close\r\n'));
    // What the two systems' buffers take passes before it stalls.
    const isCut = (): boolean => {
      connections.sweep();
      advance(250);
      return connections.stalled(socket);
    };
    await expect.poll(isCut).toBe(true);
    expect(cuts).toEqual(['stalled']);
    lazy.socket.resume();
    await lazy.closed;
    expect((await reader.closed).length).toBeGreaterThan(64 * MIB);
  });

  it('one address has its share and no more; what it closes it may open again', async () => {
    const { connections, url, cuts } = await watched({ perAddress: 3 });
    const held = Array.from({ length: 3 }, () => openRaw(url));
    await expect.poll(() => [...connections.open()].length).toBe(3);
    await openRaw(url).closed;
    expect(cuts).toEqual(['over_share']);
    held[0]!.destroy();
    await expect.poll(() => [...connections.open()].length).toBe(2);
    const again = openRaw(url);
    again.send(get('/'));
    await again.until(/HTTP\/1\.1 200/);
    expect(cuts).toEqual(['over_share']);
  });

  it('a trusted proxy speaks for many', async () => {
    const { connections, url, cuts } = await watched({ perAddress: 3 }, ['127.0.0.1']);
    const held = Array.from({ length: 5 }, () => openRaw(url));
    await expect.poll(() => [...connections.open()].length).toBe(5);
    expect(cuts).toEqual([]);
    for (const raw of held) raw.destroy();
  });
});
