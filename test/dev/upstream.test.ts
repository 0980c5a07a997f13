import { createServer, type Server } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { listen, stop } from '../../dev/listen.ts';
import { startUpstream, type Upstream } from '../../dev/upstream/index.ts';

let keyServer: Server;
let privateKey: CryptoKey;
let upstream: Upstream;

beforeAll(async () => {
  const pair = await generateKeyPair('ES256');
  privateKey = pair.privateKey;
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), alg: 'ES256', kid: 'one' }] });
  keyServer = createServer((_request, response) => response.end(jwks));
  upstream = await startUpstream({ gatewayJwksUrl: `http://127.0.0.1:${await listen(keyServer)}/jwks` });
});

afterAll(async () => {
  await upstream.close();
  await stop(keyServer);
});

async function assertion(audience: string): Promise<string> {
  const token = new SignJWT({ sub: 'alice', iss: 'sallyport' }).setProtectedHeader({
    alg: 'ES256',
    kid: 'one',
  });
  return token.setAudience(audience).setIssuedAt().setExpirationTime('60s').sign(privateKey);
}

async function echo(path: string, init?: RequestInit): Promise<Record<string, unknown>> {
  return (await fetch(`${upstream.url}${path}`, init)).json() as Promise<Record<string, unknown>>;
}

describe('the sample upstream', () => {
  it('says back the request as it arrived, encoding included', async () => {
    const body = 'ä'.repeat(300);
    expect(await echo('/a%20b/c?x=1&x=2', { method: 'PUT', body, headers: { 'x-mine': '1' } })).toMatchObject(
      {
        method: 'PUT',
        path: '/a%20b/c',
        query: '?x=1&x=2',
        headers: { 'x-mine': '1' },
        body: { bytes: 600, preview: 'ä'.repeat(200) },
      },
    );
  });

  it('never shows a whole token, wherever it stands', async () => {
    const token = await assertion('upstream');
    const opaque = 'an-opaque-token-of-the-kind-that-is-introspected';
    const answers = [
      await echo(`/x?access_token=${token}`, {
        headers: { authorization: `Bearer ${token}`, cookie: `s=${token}` },
      }),
      await echo('/x', { method: 'POST', body: token, headers: { 'x-gateway-assertion': token } }),
      await echo('/x', { headers: { authorization: `Bearer ${opaque}` } }),
    ];
    expect(JSON.stringify(answers)).not.toContain(token.slice(0, 40));
    expect(JSON.stringify(answers)).not.toContain(opaque);
    expect(answers[0]).toMatchObject({
      headers: { authorization: `Bearer ${token.slice(0, 12)}… (${token.length} characters)` },
    });
    expect(answers[1]).toMatchObject({ assertion: 'verified' });
    expect(answers[2]).toMatchObject({ headers: { authorization: 'Bearer an-opaque-to… (48 characters)' } });
  });

  it('marks the headers only a gateway writes', async () => {
    const headers = { 'x-user-id': 'alice', 'x-other': 'y', traceparent: '00-1-2-01' };
    expect(await echo('/', { headers })).toMatchObject({
      user: 'alice',
      from_gateway: ['x-user-id', 'traceparent'],
    });
  });

  it('believes an assertion by the published key for this upstream alone', async () => {
    const verdict = async (token: string) =>
      (await echo('/', { headers: { 'x-gateway-assertion': token } }))['assertion'];
    expect(await verdict(await assertion('upstream'))).toBe('verified');
    expect(await verdict(await assertion('another'))).toBe('refused: ERR_JWT_CLAIM_VALIDATION_FAILED');
    expect(await verdict('nonsense')).toMatch(/^refused: /);
    expect((await echo('/'))['assertion']).toBe('absent');
  });

  it('streams its chunks, waits when asked and answers with any status', async () => {
    const streamed = await (await fetch(`${upstream.url}/public/stream?chunks=3`)).text();
    expect(streamed).toBe('chunk 1 of 3\nchunk 2 of 3\nchunk 3 of 3\n');
    expect(await echo('/slow?ms=1')).toEqual({ waited_ms: 1 });
    expect((await fetch(`${upstream.url}/status/418`)).status).toBe(418);
    expect((await fetch(`${upstream.url}/status/204`)).status).toBe(204);
    expect((await fetch(`${upstream.url}/status/999`)).status).toBe(400);
  });

  it('echoes WebSocket messages at /ws and nowhere else', async () => {
    const ws = new WebSocket(`${upstream.url.replace('http', 'ws')}/public/ws`);
    const said = new Promise((resolve) =>
      ws.once('message', (data: Buffer) => {
        resolve(data.toString());
      }),
    );
    ws.once('open', () => {
      ws.send('hello');
    });
    expect(await said).toBe('hello');
    ws.terminate();
    const elsewhere = new WebSocket(`${upstream.url.replace('http', 'ws')}/public`);
    const refused = new Promise<Error>((resolve) => elsewhere.once('error', resolve));
    expect((await refused).message).toContain('404');
  });
});
