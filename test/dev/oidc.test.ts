import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startOidc, type OidcServer } from '../../dev/oidc/index.ts';

const Discovery = z.object({
  issuer: z.string(),
  jwks_uri: z.string(),
  introspection_endpoint: z.string(),
});

let oidc: OidcServer;

beforeAll(async () => {
  oidc = await startOidc();
});

afterAll(() => oidc.close());

async function discover() {
  const answer = await fetch(`${oidc.url}/.well-known/openid-configuration`);
  return Discovery.parse(await answer.json());
}

async function verify(token: string) {
  const { issuer, jwks_uri } = await discover();
  return jwtVerify(token, createRemoteJWKSet(new URL(jwks_uri)), { issuer, audience: oidc.audience });
}

async function introspect(token: string, secret = oidc.clientSecret) {
  const { introspection_endpoint } = await discover();
  return fetch(introspection_endpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${oidc.clientId}:${secret}`)}` },
    body: new URLSearchParams({ token }),
  });
}

describe('tokens for the terminal', () => {
  it('are access tokens of RFC 9068 that verify through discovery', async () => {
    const token = await oidc.mintToken('alice');
    const { payload, protectedHeader } = await verify(token);
    expect(protectedHeader).toMatchObject({ alg: 'RS256', typ: 'at+jwt' });
    expect(payload).toMatchObject({ sub: 'alice', iss: oidc.url, client_id: 'demo-page' });
    expect(payload.exp! - payload.iat!).toBe(3600);
    expect(payload.jti).toBeTypeOf('string');
  });

  it('come over HTTP with another key, life and audience when asked', async () => {
    const answer = await fetch(`${oidc.url}/demo/token?user=bob&alg=ES256&ttl=60`, { method: 'POST' });
    const { payload, protectedHeader } = await verify(await answer.text());
    expect(protectedHeader.alg).toBe('ES256');
    expect(payload.exp! - payload.iat!).toBe(60);
    await expect(verify(await oidc.mintToken('bob', { audience: 'other' }))).rejects.toThrow(/aud/);
  });

  it('are refused for people who do not exist and lives that make no sense', async () => {
    const stranger = await fetch(`${oidc.url}/demo/token?user=mallory`, { method: 'POST' });
    const endless = await fetch(`${oidc.url}/demo/token?user=alice&ttl=-1`, { method: 'POST' });
    expect([stranger.status, endless.status]).toEqual([404, 400]);
    await expect(oidc.mintToken('mallory')).rejects.toThrow('no demo user');
  });

  it('come for users of the directory behind it too', async () => {
    const wider = await startOidc({ isUser: (id) => id === 'dana' });
    const answers = await Promise.all(
      ['dana', 'mallory'].map((user) => fetch(`${wider.url}/demo/token?user=${user}`, { method: 'POST' })),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 404]);
    await wider.close();
  });

  it('are out of reach for a name rebound to loopback', async () => {
    const { request } = await import('node:http');
    const status = await new Promise((resolve) => {
      const target = new URL(`${oidc.url}/demo/token?user=alice`);
      request(target, { method: 'POST', headers: { host: 'evil.example' } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      }).end();
    });
    expect(status).toBe(421);
  });
});

describe('opaque tokens', () => {
  it('tell their user and audience to the gateway alone', async () => {
    const token = await oidc.mintToken('carol', { opaque: true });
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'A256GCMKW', enc: 'A256GCM' });
    expect(await (await introspect(token)).json()).toMatchObject({
      active: true,
      sub: 'carol',
      aud: [oidc.audience],
    });
    expect((await introspect(token, 'wrong')).status).toBe(400);
    expect(await (await introspect('unheard-of')).json()).toEqual({ active: false });
  });
});

describe('the page', () => {
  it('signs a person in with code and PKCE and shows a token that verifies', async () => {
    const browser = new Browser(oidc.url);
    const question = await browser.open('/sign-in');
    const action = /action="([^"]+)"/.exec(question)![1]!;
    const shown = await browser.open(action, new URLSearchParams({ user: 'alice' }));
    const token = /<textarea[^>]*>([^<]+)</.exec(shown)![1]!;
    expect((await verify(token)).payload.sub).toBe('alice');
  });

  it('gives no token to a callback that was not started in this browser', async () => {
    const answer = await fetch(`${oidc.url}/callback?code=x&state=y`);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('not started here');
  });

  it('explains itself when the request for a sign-in is wrong', async () => {
    const answer = await fetch(`${oidc.url}/oauth/v2/authorize?client_id=<b>`);
    const text = await answer.text();
    expect(answer.status).toBe(400);
    expect(text).toContain('That did not work');
    expect(text).not.toContain('<b>');
  });
});

/** Follows redirects and keeps cookies by path, as a browser does. */
class Browser {
  readonly #cookies = new Map<string, { value: string; path: string }>();
  readonly #origin: string;

  constructor(origin: string) {
    this.#origin = origin;
  }

  async open(target: string, body?: URLSearchParams): Promise<string> {
    const url = new URL(target, this.#origin);
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: this.#cookieHeader(url.pathname) },
      ...(body && { method: 'POST', body }),
    });
    for (const line of answer.headers.getSetCookie()) this.#keep(line);
    const location = answer.headers.get('location');
    return location === null ? answer.text() : this.open(new URL(location, url).href);
  }

  #keep(line: string): void {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
    const path = /path=([^;]+)/i.exec(line)?.[1] ?? '/';
    this.#cookies.set(name!, { value: value!, path });
  }

  #cookieHeader(pathname: string): string {
    return [...this.#cookies]
      .filter(([, cookie]) => pathname.startsWith(cookie.path))
      .map(([name, cookie]) => `${name}=${cookie.value}`)
      .join('; ');
  }
}
