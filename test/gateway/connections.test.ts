import { expect, it } from 'vitest';
import { node } from '../support/gateway/node.ts';
import { openRaw } from '../support/raw-socket.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';

const HOST = 'Host: gateway.test\r\n';
const get = (target: string, fields = ''): string => `GET ${target} HTTP/1.1\r\n${HOST}${fields}\r\n`;
const statuses = (text: string): string[] => text.match(/HTTP\/1\.1 \d{3}/g) ?? [];
const targets = (stage: Stage): string[] => stage.upstream.requests.map(({ target }) => target);

gatewaySuite('an accepted request has its answer, whatever comes behind it', { on: [node] }, (stage) => {
  it.each([
    [
      'bytes behind Connection: close',
      get('/public/x', 'Connection: close\r\n') + 'more bytes\r\n\r\n',
      ['200'],
    ],
    [
      'a request behind Connection: close',
      get('/public/x', 'Connection: close\r\n') + get('/public/y'),
      ['200'],
    ],
    ['empty lines behind Connection: close', get('/public/x', 'Connection: close\r\n') + '\r\n\r\n', ['200']],
    ['garbage behind a kept connection', get('/public/x') + '\0\0\r\n\r\n', ['200', '400']],
    [
      'garbage behind two requests',
      get('/public/x') + get('/public/y') + '\0\0\r\n\r\n',
      ['200', '200', '400'],
    ],
    [
      'a head too large behind a request',
      get('/public/x') + get('/y', `a: ${'b'.repeat(70_000)}\r\n`),
      ['200', '431'],
    ],
    ['an unknown version behind a request', get('/public/x') + 'GET / HTTP/3.1\r\n\r\n', ['200', '400']],
  ])('%s', async (_name, bytes, expected) => {
    const raw = openRaw(stage.gateway.url);
    raw.send(bytes);
    expect(statuses(await raw.closed)).toEqual(expected.map((status) => `HTTP/1.1 ${status}`));
  });

  it('a request behind a refused one, and empty lines between requests (RFC 9112 §2.2)', async () => {
    const raw = openRaw(stage.gateway.url);
    raw.send(`\r\n${get('/admin/x')}\r\n\r\n${get('/public/x', 'Connection: close\r\n')}`);
    expect(statuses(await raw.closed)).toEqual(['HTTP/1.1 401', 'HTTP/1.1 200']);
    expect(targets(stage)).toEqual(['/public/x']);
  });

  it('a client that closes its own half at once', async () => {
    const raw = openRaw(stage.gateway.url);
    raw.socket.end(get('/public/x') + get('/public/y'));
    expect(statuses(await raw.closed)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
  });

  it('a client that closed its half and waits in vain counts as gone', async () => {
    const arriving = stage.upstream.next();
    stage.upstream.on('/public/never', (incoming) => void incoming.resume());
    const raw = openRaw(stage.gateway.url);
    raw.socket.end(get('/public/never'));
    const recorded = await arriving;
    await recorded.gone();
    expect(await raw.closed).toBe('');
  });

  it('a body that breaks in the middle ends its request at the upstream', async () => {
    const arriving = stage.upstream.next();
    const raw = openRaw(stage.gateway.url);
    raw.send(`POST /public/x HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
    const recorded = await arriving;
    raw.send('no size\r\n');
    expect(statuses(await raw.closed)).toEqual(['HTTP/1.1 400']);
    await recorded.gone();
    expect(recorded.complete()).toBe(false);
  });
});

gatewaySuite('the request line', { on: [node] }, (stage) => {
  it.each(['HTTP/2.0', 'HTTP/0.9', 'HTTP/1.2', 'HTTP/3.0'])('%s is refused', async (version) => {
    for (const target of ['/public/x', '/health']) {
      const raw = openRaw(stage.gateway.url);
      raw.socket.end(`GET ${target} ${version}\r\n${HOST}Connection: close\r\n\r\n`);
      expect(await raw.closed).toMatch(/^HTTP\/1\.1 400 [^]*"code":"invalid_request"/);
    }
    expect(targets(stage)).toEqual([]);
  });

  it('HTTP/1.0 is spoken', async () => {
    const raw = openRaw(stage.gateway.url);
    raw.send('GET /public/x HTTP/1.0\r\n\r\n');
    expect(await raw.closed).toMatch(/^HTTP\/1\.1 200 /);
  });
});

gatewaySuite(
  'Expect: 100-continue',
  { on: [node], variables: () => ({ MAX_BODY_BYTES: '1000' }) },
  (stage) => {
    const post = (target: string, length: number, fields = '', version = '1.1'): string =>
      `POST ${target} HTTP/${version}\r\n${HOST}Expect: 100-continue\r\nContent-Length: ${length}\r\n${fields}\r\n`;

    it.each([
      ['a body over the limit', '/public/x', 5_000, 413, 'The body has 5000 bytes; at most 1000 are taken.'],
      ['no token', '/me', 5, 401, ''],
      ['no rule', '/nowhere', 5, 403, ''],
    ])('%s is refused before the body is asked for', async (_name, target, length, status, detail) => {
      const raw = openRaw(stage.gateway.url);
      raw.send(post(target, length));
      const text = await raw.closed;
      expect(statuses(text)).toEqual([`HTTP/1.1 ${status}`]);
      expect(text).toContain(detail);
      expect(targets(stage)).toEqual([]);
    });

    it('over the quota, too', async () => {
      const fields = `Authorization: ${await stage.bearer({ sub: 'erin' })}\r\n`;
      for (let n = 0; n < 3; n++)
        await stage.gateway.fetch('/few', { headers: { authorization: fields.slice(15, -2) } });
      const raw = openRaw(stage.gateway.url);
      raw.send(post('/few', 5, fields).replace('POST', 'GET'));
      expect(statuses(await raw.closed)).toEqual(['HTTP/1.1 429']);
    });

    it('what passes is told to go on, once', async () => {
      const raw = openRaw(stage.gateway.url);
      raw.send(post('/public/x', 5, 'Connection: close\r\n'));
      await raw.until(/HTTP\/1\.1 100 Continue\r\n\r\n$/);
      raw.send('hello');
      expect(statuses(await raw.closed)).toEqual(['HTTP/1.1 100', 'HTTP/1.1 200']);
      expect(stage.upstream.requests[0]?.body()).toBe('hello');
    });

    it('an HTTP/1.0 client is told nothing of the kind (RFC 9110 §10.1.1)', async () => {
      const raw = openRaw(stage.gateway.url);
      raw.send(post('/public/x', 5, '', '1.0') + 'hello');
      expect(statuses(await raw.closed)).toEqual(['HTTP/1.1 200']);
    });
  },
);

const MIB = 1024 * 1024;

gatewaySuite(
  'bodies that nobody wants',
  { on: [node], variables: () => ({ MAX_BODY_BYTES: '1000' }) },
  (stage) => {
    it.each([
      ['declared over the limit', `Content-Length: ${8 * MIB}\r\n\r\n`, 413],
      ['streamed over the limit', `Transfer-Encoding: chunked\r\n\r\n${(8 * MIB).toString(16)}\r\n`, 413],
    ])('%s: the answer arrives although all of it is sent first', async (_name, rest, status) => {
      const raw = openRaw(stage.gateway.url);
      raw.socket.pause();
      raw.send(`POST /public/x HTTP/1.1\r\n${HOST}${rest}`);
      await new Promise((sent) => raw.socket.write(Buffer.alloc(8 * MIB), sent));
      if (rest.includes('chunked')) raw.send('\r\n0\r\n\r\n');
      raw.socket.resume();
      await raw.until(/request_id[^}]*\}/);
      expect(statuses(raw.received())).toEqual([`HTTP/1.1 ${status}`]);
      raw.destroy();
    });

    it('a connection is kept when its refused body has arrived', async () => {
      const raw = openRaw(stage.gateway.url);
      raw.send(`POST /public/x HTTP/1.1\r\n${HOST}Content-Length: 200000\r\n\r\n` + 'x'.repeat(200_000));
      raw.send(get('/public/after', 'Connection: close\r\n'));
      expect(statuses(await raw.closed)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
    });
  },
);

gatewaySuite('an upgrade that is ignored', { on: [node] }, (stage) => {
  it('thirty on one connection leave nothing behind', async () => {
    const raw = openRaw(stage.gateway.url);
    for (let n = 1; n <= 30; n++) {
      raw.send(get(`/public/${n}`, 'Connection: Upgrade\r\nUpgrade: h2c\r\n'));
      await raw.until(new RegExp(`"target":"/public/${n}"`));
    }
    raw.send(get('/public/x', 'Connection: close\r\n'));
    expect(statuses(await raw.closed)).toHaveLength(31);
    expect(stage.gateway.output()).not.toContain('Warning');
  });
});
