import { expect, it } from 'vitest';
import { caught } from '../support/exchange.ts';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import { exchange, openRaw } from '../support/raw-socket.ts';
import { expectRefusal } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';

const HOST = 'Host: gateway.test\r\n';
const SMUGGLED = `GET /admin/smuggled HTTP/1.1\r\n${HOST}\r\n`;
const get = (target: string, fields = ''): string =>
  `GET ${target} HTTP/1.1\r\n${HOST}${fields}Connection: close\r\n\r\n`;
const post = (fields: string, body: string): string =>
  `POST /public/x HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;

/** The first answer in what came back. */
function firstAnswer(text: string): Response {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [statusLine = '', ...fields] = head.split('\r\n');
  const headers = new Headers(fields.map((line) => line.split(/:\s*/, 2) as [string, string]));
  const body = rest.join('\r\n\r\n').slice(0, Number(headers.get('content-length') ?? undefined));
  return new Response(body, { status: Number(statusLine.split(' ')[1]), headers });
}

const targets = (stage: Stage): string[] => stage.upstream.requests.map(({ target }) => target);

gatewaySuite('bytes that servers read in two ways', { on: SOCKETS, onEach: true }, (stage) => {
  it.each([
    [
      'Content-Length beside Transfer-Encoding',
      post(`Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`, `0\r\n\r\n${SMUGGLED}`),
    ],
    [
      'Transfer-Encoding beside Content-Length',
      post(`Transfer-Encoding: chunked\r\nContent-Length: 60\r\n`, `0\r\n\r\n${SMUGGLED}`),
    ],
    ['two Content-Length that differ', post('Content-Length: 0\r\nContent-Length: 44\r\n', SMUGGLED)],
    ['a list as Content-Length', post('Content-Length: 0, 44\r\n', SMUGGLED)],
    ['a signed Content-Length', post('Content-Length: +0\r\n', SMUGGLED)],
    ['a hexadecimal Content-Length', post('Content-Length: 0x2c\r\n', SMUGGLED)],
    ['a space before the colon', post('Content-Length : 44\r\n', SMUGGLED)],
    ['an unknown Transfer-Encoding', post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${SMUGGLED}`)],
    [
      'Transfer-Encoding twice',
      post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', `0\r\n\r\n${SMUGGLED}`),
    ],
    ['a folded field', get('/public/x', 'X-A: b\r\n\tc: d\r\n')],
    ['a folded Transfer-Encoding', post('Transfer-Encoding:\r\n chunked\r\n', `0\r\n\r\n${SMUGGLED}`)],
    ['bare line feeds', `GET /public/x HTTP/1.1\nHost: gateway.test\n\n`],
    ['a bare line feed between fields', `GET /public/x HTTP/1.1\r\n${HOST}X-A: b\nX-User-ID: admin\r\n\r\n`],
    ['a bare carriage return in a field', get('/public/x', 'X-A: b\rX-User-ID: admin\r\n')],
    ['a NUL in a field', get('/public/x', 'X-A: b\0c\r\n')],
    ['a field without a colon', get('/public/x', 'X-A\r\n')],
    ['a field without a name', get('/public/x', ': b\r\n')],
    ['a space in the target', get('/public/x /admin/x')],
    ['a Host that is no name', 'GET /public/x HTTP/1.1\r\nHost: a b/c"<script>\r\nConnection: close\r\n\r\n'],
    ['TRACE', `TRACE /public/x HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`],
    ['CONNECT', `CONNECT gateway.test:443 HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`],
    ['no Host', 'GET /public/x HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['no HTTP at all', `\x16\x03\x01\x02\x00\x01\x00\r\n\r\n`],
  ])('%s: refused, nothing smuggled', async (_name, bytes) => {
    const text = await exchange(stage.gateway.url, bytes);
    expect(targets(stage).filter((target) => target !== '/public/x')).toEqual([]);
    expect(JSON.stringify(stage.upstream.requests)).not.toContain('admin');
    // On workerd the runtime frames requests before any code runs; what it takes for one is judged as one.
    if (stage.runtime === 'workerd') return;
    await expectRefusal(firstAnswer(text), 'invalid_request');
    expect(text.match(/HTTP\/1\.1 \d+/g)?.filter((line) => line !== 'HTTP/1.1 400')).toEqual([]);
    expect(targets(stage)).toEqual([]);
  });

  it.each([
    ['a malformed chunk size', post('Transfer-Encoding: chunked\r\n', `5_\r\nhello\r\n0\r\n\r\n${SMUGGLED}`)],
    [
      'a chunk longer than its size',
      post('Transfer-Encoding: chunked\r\n', `1\r\nhello\r\n0\r\n\r\n${SMUGGLED}`),
    ],
  ])('%s: the upstream never sees the whole of it', async (_name, bytes) => {
    const text = await exchange(stage.gateway.url, bytes);
    expect(targets(stage).filter((target) => target !== '/public/x')).toEqual([]);
    expect(text).not.toMatch(/^HTTP\/1\.1 2/);
    expect(stage.upstream.requests.map((request) => request.complete())).not.toContain(true);
  });

  it.each([
    ['dot segments', '/public/../admin/x', ['node']],
    ['encoded dot segments', '/public/%2e%2e/admin/x', ['node', 'workerd']],
    ['encoded slash', '/public/..%2fadmin/x', ['node', 'workerd']],
    ['backslash', '/public\\..\\admin\\x', ['node']],
    ['encoded NUL', '/public/%00', ['node', 'workerd']],
    ['doubled slash', '//admin/x', ['node', 'workerd']],
    ['a raw byte above ASCII', '/public/\xe9', ['node']],
    ['a fragment', '/public/x#/../admin', ['node']],
  ])('%s in the raw target never opens a protected path', async (_name, target, refused) => {
    const text = await exchange(stage.gateway.url, Buffer.from(get(target), 'latin1'));
    expect(targets(stage).filter((path) => !path.startsWith('/public/'))).toEqual([]);
    if (refused.includes(stage.runtime)) {
      expect(firstAnswer(text).status).toBe(400);
      expect(targets(stage)).toEqual([]);
    }
  });

  it('an absolute-form target chooses no host', async () => {
    await exchange(stage.gateway.url, get('http://evil.test:81/public/x'));
    // workerd by itself answers 500 to such a target; on Cloudflare none arrives.
    expect(targets(stage)).toEqual(stage.runtime === 'node' ? ['/public/x'] : []);
    for (const request of stage.upstream.requests)
      expect(request.values('host')).toEqual([new URL(stage.upstream.url).host]);
  });

  it.each(['/me', '/public/x'])('two Authorization headers at %s: 400', async (target) => {
    const fields = `Authorization: ${await stage.bearer()}\r\nAuthorization: Bearer x\r\n`;
    const text = await exchange(stage.gateway.url, get(target, fields));
    // workerd joins repeated fields before the code sees them; a public path looks at none.
    if (stage.runtime === 'workerd' && target === '/public/x') return;
    await expectRefusal(firstAnswer(text), 'invalid_request');
    expect(targets(stage)).toEqual([]);
  });

  it('the body of a refused request is not taken for a request', async () => {
    const raw = openRaw(stage.gateway.url);
    raw.send(`POST /admin/x HTTP/1.1\r\n${HOST}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`);
    await raw.until(/missing_token/);
    raw.send(get('/public/after'));
    await raw.until(/HTTP\/1\.1 200/);
    raw.destroy();
    expect(targets(stage).filter((target) => target !== '/public/after')).toEqual([]);
  });

  it('an expectation that nobody knows changes nothing (RFC 9110 §10.1.1)', async () => {
    const text = await exchange(stage.gateway.url, get('/public/x', 'Expect: a-miracle\r\n'));
    expect(firstAnswer(text).status).toBe(200);
    expect(stage.upstream.requests.map((request) => request.values('expect'))).toEqual([[]]);
  });

  it('CONNECT opens no tunnel', async () => {
    const { host } = new URL(stage.upstream.url);
    const text = await exchange(
      stage.gateway.url,
      `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n${SMUGGLED}`,
    );
    expect(text).not.toMatch(/^HTTP\/1\.1 2/);
    expect(targets(stage)).toEqual([]);
  });

  // workerd reads no further before its answer is out.
  it.runIf(stage.runtime === 'node')('garbage behind a request is answered after its answer', async () => {
    const arriving = caught(stage, '/public/long');
    const raw = openRaw(stage.gateway.url);
    raw.send(`GET /public/long HTTP/1.1\r\n${HOST}\r\n`);
    const [incoming, outgoing] = await arriving;
    incoming.resume();
    outgoing.write('first ');
    await raw.until(/first /);
    raw.send('\0\0 no request\r\n\r\n');
    // Another connection: what was sent before on the first is read by now.
    await stage.gateway.fetch('/public/meanwhile');
    outgoing.end('last');
    expect(await raw.closed).toMatch(
      /^HTTP\/1\.1 200 (?:(?!HTTP)[^])*last(?:(?!HTTP)[^])*HTTP\/1\.1 400 [^]*invalid_request/,
    );
  });

  it('the gateway is still there', async () => {
    expect((await stage.gateway.fetch('/public/x')).status).toBe(200);
    expect(stage.gateway.output()).not.toContain('internal error');
  });
});
