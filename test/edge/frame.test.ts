import { expect, it } from 'vitest';
import { exchange } from '../support/raw-socket.ts';
import { expectRefusal } from '../support/refusal.ts';
import { gatewaySuite } from '../support/suite.ts';
import { envelope } from '../webhooks/events.ts';
import { signature } from '../webhooks/sign.ts';
import { countOf, lineOf, SCRAPER, seen } from './lines.ts';

const ORIGIN = 'https://app.example.org';
const KEY = 'signing-key-of-this-test';
const OWN = [
  ['GET', '/health', 200],
  ['GET', '/ready', 200],
  ['GET', '/metrics', 401],
  ['GET', '/.well-known/sallyport/jwks.json', 200],
  ['GET', '/forward-auth', 403],
  ['POST', '/webhooks/zitadel', 401],
  ['POST', '/webhooks/user-created', 401],
] as const;

gatewaySuite(
  'every answer of the bundle itself',
  {
    onEach: true,
    variables: () => ({ ALLOWED_ORIGINS: ORIGIN, LOG_REQUESTS: 'all', WEBHOOK_SIGNING_KEYS: KEY }),
  },
  (stage) => {
    it.each(OWN)(
      '%s %s has the request id of its caller, a line and a count',
      async (method, path, status) => {
        const { answer, line } = await seen(stage, path, method);
        expect(answer.status).toBe(status);
        const rule = path === '/forward-auth' ? undefined : path;
        expect(line).toMatchObject({ method, status, address: expect.any(String) as string });
        expect(line?.['rule']).toBe(rule);
        // workerd's clock stands still while no input or output happens.
        expect(line?.['us']).toBeGreaterThan(stage.runtime === 'workerd' ? -1 : 0);
        if (status >= 400) expect(line?.['path']).toBe(path);
        const labels = new RegExp(`rule="${rule ?? ''}",target="",status="${status}"`);
        expect(await countOf(stage, labels)).toBeGreaterThan(0);
      },
    );

    it('has a new request id where the caller sends none, or a malformed one', async () => {
      for (const id of [undefined, 'two words', 'x'.repeat(129)]) {
        const headers = id === undefined ? {} : { 'x-request-id': id };
        const answer = await stage.gateway.fetch('/health', { headers });
        expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/);
      }
    });

    it.each([
      ['DELETE', '/health', 'GET, HEAD'],
      ['POST', '/ready', 'GET, HEAD'],
      ['OPTIONS', '/metrics', 'GET, HEAD'],
      ['GET', '/webhooks/zitadel', 'POST'],
      ['HEAD', '/webhooks/user-deleted', 'POST'],
    ])('%s %s is a 405 that says what is allowed: %s', async (method, path, allow) => {
      const { answer, line } = await seen(stage, path, method);
      expect(answer.headers.get('allow')).toBe(allow);
      expect(line).toMatchObject({ status: 405, code: 'method_not_allowed', rule: path });
      if (method === 'HEAD') expect([answer.status, await answer.text()]).toEqual([405, '']);
      else await expectRefusal(answer, 'method_not_allowed');
    });

    it('to HEAD is that to GET without its content', async () => {
      for (const path of ['/health', '/ready', '/.well-known/sallyport/jwks.json']) {
        const { answer } = await seen(stage, path, 'HEAD');
        expect([answer.status, await answer.text()]).toEqual([200, '']);
      }
    });

    it.runIf(stage.runtime === 'node')('to a Host that is none is a 400 like any other', async () => {
      for (const host of ['a b', 'a%zz', 'a:99999', '[::1', 'a/b']) {
        const head = `GET /health HTTP/1.1\r\nHost: ${host}\r\nX-Request-ID: bad-host\r\n`;
        const answer = await exchange(stage.gateway.url, `${head}Connection: close\r\n\r\n`);
        expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*x-request-id: bad-host\r\n[^]*"invalid_request"/);
      }
      expect(await lineOf(stage, 'bad-host')).toMatchObject({ code: 'invalid_request', path: '/health' });
    });

    it('can be read by a listed origin, and by no other', async () => {
      for (const path of ['/ready', '/metrics', '/webhooks/zitadel']) {
        const listed = await stage.gateway.fetch(path, { headers: { origin: ORIGIN } });
        expect(listed.headers.get('access-control-allow-origin')).toBe(ORIGIN);
        expect(listed.headers.get('access-control-expose-headers')).toContain('X-Request-ID');
        const other = await stage.gateway.fetch(path, { headers: { origin: 'https://evil.test' } });
        expect(other.headers.get('access-control-allow-origin')).toBeNull();
        expect(other.headers.get('vary')).toContain('Origin');
      }
    });

    it('to a preflight of a listed origin needs nothing, and is recorded', async () => {
      for (const path of ['/ready', '/me']) {
        const asked = { origin: ORIGIN, 'access-control-request-method': 'GET' };
        const { answer, line } = await seen(stage, path, 'OPTIONS', asked);
        expect(answer.status).toBe(204);
        expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
        expect(line).toMatchObject({ method: 'OPTIONS', status: 204, code: 'preflight' });
        expect(line).not.toHaveProperty('path');
      }
      expect(await countOf(stage, /rule="",target="",status="204",code="preflight"/)).toBe(1);
      expect(await countOf(stage, /rule="\/ready",target="",status="204",code="preflight"/)).toBe(1);
    });

    it.runIf(stage.runtime !== 'in process')(
      'to a declared body over 64 KiB is a 413, before anything of it is read or hashed',
      async () => {
        for (const path of ['/webhooks/zitadel', '/webhooks/user-created']) {
          const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n`;
          const answer = await exchange(stage.gateway.url, `${head}ZITADEL-Signature: t=1,v1=2\r\n\r\n`);
          expect(answer).toMatch(/^HTTP\/1\.1 413 [^]*"body_too_large"/);
        }
      },
    );
  },
);

gatewaySuite(
  'whoever is refused again and again by own routes',
  { variables: () => ({ WEBHOOK_SIGNING_KEYS: KEY }) },
  (stage) => {
    it('is limited by address; signed deliveries, probes and scrapers of that address never are', async () => {
      const forged = (n: number) =>
        stage.gateway.fetch('/webhooks/zitadel', {
          method: 'POST',
          headers: { 'zitadel-signature': signature('guessed', '{}'), 'x-request-id': `forged-${n}` },
          body: '{}',
        });
      for (let n = 0; n < 600; n++) expect((await forged(n)).status).toBe(401);
      // One comes free every 100 ms, so how many more are answered with 401 is a matter of time.
      let more = 600;
      const over = async (): Promise<Response> => {
        const answer = await forged((more += 1));
        return answer.status === 401 ? over() : answer;
      };
      const limited = await over();
      expect(limited.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
      expect(limited.headers.get('ratelimit-policy')).toBe('"refused";q=600;w=60');
      await expectRefusal(limited, 'rate_limited');

      const body = JSON.stringify(envelope());
      const headers = { 'zitadel-signature': signature(KEY, body) };
      const burst = Array.from({ length: 700 }, () =>
        stage.gateway.fetch('/webhooks/zitadel', { method: 'POST', headers, body }),
      );
      // Looked at, and known for what they are: this stage has no database.
      for (const signed of await Promise.all(burst)) await expectRefusal(signed, 'not_configured');
      expect((await stage.gateway.fetch('/health')).status).toBe(200);
      expect((await stage.gateway.fetch('/ready')).status).toBe(200);
      expect((await stage.gateway.fetch('/metrics', { headers: SCRAPER })).status).toBe(200);
      const guess = async (): Promise<Response> => {
        const headers = { authorization: 'Bearer a-guess-of-the-token' };
        const answer = await stage.gateway.fetch('/metrics', { headers });
        return answer.status === 401 ? guess() : answer;
      };
      await expectRefusal(await guess(), 'rate_limited');
      // Requests that rules judge have quotas of their own.
      await expectRefusal(await stage.gateway.fetch('/me'), 'missing_token');
    });
  },
);
