import { describe, expect, it } from 'vitest';
import { SOCKETS } from '../support/gateway/runtimes.ts';
import { METRICS_TOKEN } from '../support/world.ts';
import { exchange } from '../support/raw-socket.ts';
import { expectRefusal, expectStopped } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';

const APP = 'https://app.example.org';
const COOKIES = 'c=' + 'x'.repeat(17_000);

const logged = (stage: Stage, id: string): Record<string, unknown> | undefined =>
  stage.gateway
    .output()
    .split('\n')
    .filter((line) => line.includes(`"request_id":"${id}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .at(0);

const counted = async (stage: Stage, code: string): Promise<number> => {
  const answer = await stage.gateway.fetch('/metrics', {
    headers: { authorization: `Bearer ${METRICS_TOKEN}` },
  });
  const lines = (await answer.text()).split('\n');
  return lines
    .filter((line) => line.startsWith('sallyport_requests_total') && line.includes(`code="${code}"`))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
};

gatewaySuite(
  'a head that is too large',
  { onEach: true, variables: () => ({ ALLOWED_ORIGINS: APP }) },
  (stage) => {
    it('17 KB of cookies: 431 that names the limit, with the id and the CORS fields of the caller', async () => {
      const before = await counted(stage, 'headers_too_large');
      const answer = await stage.gateway.fetch('/public/x', {
        headers: { cookie: COOKIES, origin: APP, 'x-request-id': 'cookies-0001' },
      });
      expect(answer.headers.get('access-control-allow-origin')).toBe(APP);
      expect(answer.headers.get('x-request-id')).toBe('cookies-0001');
      const problem = await expectRefusal(answer, 'headers_too_large');
      expect(problem.detail).toMatch(
        /^The header fields have 17\d{3} bytes; at most 16384 \(16 KiB\) are taken\.$/,
      );
      expect(stage.upstream.requests).toEqual([]);
      expect(await counted(stage, 'headers_too_large')).toBe(before + 1);
      await expect
        .poll(() => logged(stage, 'cookies-0001'))
        .toMatchObject({ status: 431, code: 'headers_too_large', method: 'GET' });
    });

    it('15 KB of cookies pass', async () => {
      const answer = await stage.gateway.fetch('/public/x', {
        headers: { cookie: 'c=' + 'x'.repeat(15_000) },
      });
      expect(answer.status).toBe(200);
    });

    it('a token of 12 KB of claims: 401 that names the limit of a token', async () => {
      const authorization = await stage.bearer({ bulk: 'x'.repeat(9_000) });
      const sent = stage.gateway.fetch('/me', { headers: { authorization } });
      const { detail } = await expectStopped(sent, 'invalid_token', stage.upstream);
      const bytes = authorization.length - 'Bearer '.length;
      expect(detail).toBe(`The token has ${bytes} bytes; at most 8192 are taken.`);
    });

    it('a target over 16 KiB is named as such', async () => {
      const { detail } = await expectStopped(
        stage.gateway.fetch(`/public/${'x'.repeat(17_000)}`),
        'headers_too_large',
        stage.upstream,
      );
      expect(detail).toBe('The request target has 17008 bytes; at most 16384 (16 KiB) are taken.');
    });

    it('the bundle’s own routes take no more', async () => {
      const answer = await stage.gateway.fetch('/health', { headers: { cookie: COOKIES } });
      await expectRefusal(answer, 'headers_too_large');
    });

    it('a malformed request has the CORS fields and the id of the caller too', async () => {
      const answer = await stage.gateway.fetch('/public/x', {
        headers: { host: 'a b', origin: APP, 'x-request-id': 'malformed-0001' },
      });
      // workerd refuses such a Host by itself, or has replaced it.
      if (stage.runtime !== 'node') return;
      expect(answer.headers.get('access-control-allow-origin')).toBe(APP);
      const problem = await expectRefusal(answer, 'invalid_request');
      expect(problem.request_id).toBe('malformed-0001');
    });
  },
);

gatewaySuite(
  'a head that is too large for the parser',
  { on: SOCKETS, variables: () => ({ ALLOWED_ORIGINS: APP }) },
  (stage) => {
    // workerd has a bound of its own, and answers by itself.
    describe.runIf(stage.runtime === 'node')('on Node', () => {
      it.each([
        ['a head of 40 KB', 40_000, /^The header fields have 40\d{3} bytes; at most 16384/],
        ['a head of 100 KB', 100_000, /^The header fields are over 16384 bytes \(16 KiB\)\.$/],
      ])('%s: 431, and whose it is is still known', async (_name, size, detail) => {
        const text = await exchange(
          stage.gateway.url,
          `GET /public/x HTTP/1.1\r\nHost: a\r\nCookie: ${'c'.repeat(size)}\r\n` +
            `Origin: ${APP}\r\nX-Request-ID: large-${size}\r\n\r\n`,
        );
        expect(text).toMatch(/^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
        const problem = JSON.parse(text.slice(text.indexOf('\r\n\r\n'))) as Record<string, unknown>;
        expect(problem['code']).toBe('headers_too_large');
        expect(problem['detail']).toMatch(detail);
        await expect
          .poll(() => logged(stage, String(problem['request_id'])))
          .toMatchObject({ status: 431, code: 'headers_too_large', address: '127.0.0.1' });
        expect(stage.upstream.requests).toEqual([]);
      });

      it.each([
        ['many short fields', 'a:\r\n'.repeat(5_000), '431'],
        [
          'two Authorization behind 2,100 other fields',
          'a:\r\n'.repeat(2_100) + 'Authorization: Bearer a\r\n'.repeat(2),
          '400',
        ],
      ])('%s: none is dropped unseen', async (_name, fields, status) => {
        const text = await exchange(stage.gateway.url, `GET /public/x HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
        expect(text.slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
      });

      it('bytes that are no request are logged and counted', async () => {
        const before = await counted(stage, 'invalid_request');
        const text = await exchange(stage.gateway.url, 'nothing of HTTP\r\n\r\n');
        const [, id = ''] = /"request_id":"([^"]+)"/.exec(text) ?? [];
        expect(await counted(stage, 'invalid_request')).toBe(before + 1);
        await expect
          .poll(() => logged(stage, id))
          .toMatchObject({
            status: 400,
            code: 'invalid_request',
            reason: expect.stringMatching(/^not HTTP \(HPE_/) as string,
          });
      });
    });
  },
);
