import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import type { RunningGateway } from '../support/gateway/runtime.ts';
import { openRaw } from '../support/raw-socket.ts';
import { startRawUpstream, type RawUpstream } from '../support/raw-upstream.ts';
import { openWorld, type World } from '../support/world.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nthe end';

/** By path: what the upstream writes, to GET and HEAD alike. */
const FORMS: Readonly<Record<string, string>> = {
  'a 304 with a length': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: "a"\r\n\r\n',
  'a 304 in chunks': 'HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n',
  'a bare 304': 'HTTP/1.1 304 Not Modified\r\n\r\n',
  'a 204 with a length': 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n',
  'a 204 with length 0': 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n',
  'a 204 in chunks': 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n',
  'a 205 with length 0': 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n',
  'a 205 with an empty chunk': 'HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
};
/** To HEAD only. */
const HEADS: Readonly<Record<string, string>> = {
  'a 200 with a length': 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n',
  'a 200 in chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
  'a 404 with a length': 'HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n',
};
/** None of them is an answer. */
const UNREADABLE: Readonly<Record<string, string>> = {
  'no HTTP': 'hello there\r\n\r\n',
  'a length that is no number': 'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok',
  'a status of two digits': 'HTTP/1.1 99 Hm\r\nContent-Length: 2\r\n\r\nok',
  'a switch of protocols that was not asked for':
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
  'a head of 200 KB': `HTTP/1.1 200 OK\r\nX-Big: ${'a'.repeat(200_000)}\r\nContent-Length: 2\r\n\r\nok`,
};
const ALL = Object.entries({ ...FORMS, ...HEADS, ...UNREADABLE });
const pathOf = (name: string): string => `/public/${ALL.findIndex(([one]) => one === name)}`;
const get = (path: string, method = 'GET'): string => `${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const statuses = (text: string): string[] => text.match(/HTTP\/1\.1 \d+/g) ?? [];

describe.each(SOCKETS.map((runtime) => [runtime.name, runtime] as const))('answers (%s)', (name, runtime) => {
  let world: World;
  let upstream: RawUpstream;
  let gateway: RunningGateway;

  beforeAll(async () => {
    world = await openWorld();
    upstream = await startRawUpstream(({ head, path, socket }) => {
      if (path === '/public/early') {
        // It reads no more of the body, and says why before it closes.
        socket.pause();
        socket.end('HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno');
      } else if (/^\/public\/\d+$/.test(path)) socket.write(ALL[Number(path.slice(8))]?.[1] ?? '');
      else if (head.startsWith('HEAD')) socket.write('HTTP/1.1 204 No Content\r\n\r\n');
      else socket.write(OK);
    });
    gateway = await runtime.start({ ...world.variables, UPSTREAM_URL: upstream.url });
  });
  afterAll(async () => {
    await gateway.close();
    await upstream.close();
    await world.close();
  });

  const inStep = async (path: string, method: string): Promise<string> => {
    const raw = openRaw(gateway.url);
    raw.send(get(path, method).repeat(3) + get('/public/end'));
    const text = await raw.until(/the end/);
    raw.destroy();
    return text;
  };

  it.each(Object.keys(FORMS))('%s leaves a pipelined connection in step', async (form) => {
    const status = /\d{3}/.exec(form)?.[0] ?? '';
    // An empty chunk is a body, which HEAD has none of.
    for (const method of form.endsWith('chunk') ? ['GET'] : ['GET', 'HEAD']) {
      const text = await inStep(pathOf(form), method);
      expect(statuses(text)).toEqual([...Array<string>(3).fill(`HTTP/1.1 ${status}`), 'HTTP/1.1 200']);
      // RFC 9110 §8.6, RFC 9112 §6.1: a 204 declares neither.
      if (status === '204') expect(text.split('HTTP/1.1 200')[0]).not.toMatch(/content-length|transfer-enc/i);
    }
  });

  it.each(Object.keys(HEADS))('%s to HEAD leaves a pipelined connection in step', async (form) => {
    const text = await inStep(pathOf(form), 'HEAD');
    expect(statuses(text).slice(0, 3)).toEqual(Array(3).fill(`HTTP/1.1 ${/\d{3}/.exec(form)?.[0] ?? ''}`));
    expect(statuses(text)[3]).toBe('HTTP/1.1 200');
  });

  it('200 answers of 304 with a length on kept-alive connections: every one arrives', async () => {
    const path = pathOf('a 304 with a length');
    for (let n = 0; n < 200; n++) expect((await gateway.fetch(path)).status).toBe(304);
  });

  it.each(Object.keys(UNREADABLE))('%s is 502 for its caller, and for nobody else', async (form) => {
    for (let n = 0; n < 7; n++) {
      const answer = await gateway.fetch(pathOf(form));
      expect(answer.status).toBe(502);
      expect(await answer.text()).toContain('"upstream_unreachable"');
    }
    expect(await (await gateway.fetch('/public/end')).text()).toBe('the end');
  });

  it('an upstream that answers 413 and closes before it has read the body is heard', async () => {
    for (let n = 0; n < 7; n++) {
      const call = request(`${gateway.url}/public/early`, { method: 'POST', agent: false });
      call.on('error', () => undefined);
      call.write('x'.repeat(200_000));
      const [answer] = (await once(call, 'response')) as [IncomingMessage];
      expect(answer.statusCode).toBe(413);
      call.destroy();
    }
    expect((await gateway.fetch('/public/end')).status).toBe(200);
  });

  it.runIf(name === 'node')('the log says why an answer could not be read', async () => {
    await gateway.fetch(pathOf('a head of 200 KB'));
    await expect.poll(() => gateway.output()).toContain('the answer cannot be read: its head is over 16 KiB');
    expect(gateway.output()).toContain('the answer cannot be read: Response does not match the HTTP/1.1');
    expect(gateway.output()).toContain('the answer cannot be read: bad upgrade');
  });
});
