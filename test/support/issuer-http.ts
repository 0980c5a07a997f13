import { decodeJwt } from 'jose';
import type { FakeIssuer, IssuerOptions } from './issuer.ts';

/** One request to the fake provider; throws like `fetch` does when the provider is away. */
export async function answer(
  issuer: FakeIssuer,
  options: IssuerOptions,
  request: Request,
  signal?: AbortSignal,
): Promise<Response> {
  const path = request.url.slice(issuer.url.length).split('?')[0] ?? '';
  issuer.requests.push(path);
  switch (issuer.faults.get(path) ?? issuer.faults.get('*')) {
    case 'refused':
      throw new TypeError('fetch failed');
    case 'hangs':
      return new Promise((_, reject) => {
        signal?.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
      });
    case 'status':
      return Response.json({ error: 'server_error' }, { status: 500 });
    case 'garbage':
      return new Response('<html>', { headers: { 'content-type': 'text/html' } });
    case undefined:
      break;
  }
  if (path === '/.well-known/openid-configuration') return Response.json(discovery(issuer));
  if (path === '/oauth/v2/keys') return Response.json(issuer.jwks());
  if (path === '/oauth/v2/introspect') return introspection(issuer, options, request);
  const endpoint = options.endpoints?.[path];
  if (endpoint !== undefined) return endpoint(request);
  if (path === '/userinfo') return userinfo(issuer, request);
  return new Response('not found', { status: 404 });
}

/** OpenID Connect Core §5.3. */
function userinfo(issuer: FakeIssuer, request: Request): Response {
  const token = request.headers.get('authorization')?.replace(/^Bearer /, '') ?? '';
  const { sub = '' } = decodeJwt(token);
  const claims = issuer.userinfo.get(sub);
  if (claims !== undefined) return Response.json({ sub, ...claims });
  return Response.json({ error: 'invalid_token' }, { status: 401 });
}

function discovery(issuer: FakeIssuer): Record<string, unknown> {
  return {
    issuer: issuer.url,
    jwks_uri: `${issuer.url}/oauth/v2/keys`,
    introspection_endpoint: `${issuer.url}/oauth/v2/introspect`,
    userinfo_endpoint: `${issuer.url}/userinfo`,
    ...issuer.metadata,
  };
}

/** RFC 7662 with client_secret_basic; the token is read from the form body only. */
async function introspection(
  issuer: FakeIssuer,
  options: IssuerOptions,
  request: Request,
): Promise<Response> {
  const { client } = options;
  if (client !== undefined) {
    const pair = `${encodeURIComponent(client.id)}:${encodeURIComponent(client.secret)}`;
    const expected = `Basic ${Buffer.from(pair).toString('base64')}`;
    if (request.headers.get('authorization') !== expected)
      return Response.json({ error: 'invalid_client' }, { status: 401 });
  }
  const token = new URLSearchParams(await request.text()).get('token') ?? '';
  return Response.json(issuer.opaque.get(token) ?? { active: false });
}
