import type { Context, Hono } from 'hono';
import { noEntry } from './faults.ts';
import type { Parts } from './index.ts';
import { NotAnAccessToken, NoToken, type Client } from './oauth2.ts';
import { bearer } from './sessions.ts';

/** Discovery, keys, and what clients call. */
export function tokenRoutes(app: Hono, { oauth2, url }: Parts): void {
  const clientOf = (c: Context): Client => {
    const client = oauth2.client(c.req.param('client') ?? '');
    if (client === undefined) throw noEntry();
    return client;
  };
  app.get('/oauth2/openid/:client/.well-known/openid-configuration', (c) =>
    c.json(discovery(url, oauth2.issuer(clientOf(c)), clientOf(c))),
  );
  app.get('/oauth2/openid/:client/public_key.jwk', (c) => c.json({ keys: [clientOf(c).publicKey] }));
  app.get('/oauth2/openid/:client/userinfo', (c) =>
    ofToken(c, async () => {
      const token = bearer(c.req.header('authorization'));
      if (token === '') return c.body('', 401);
      const claims = await oauth2.userinfo(token);
      return claims === undefined ? c.json({ error: 'invalid_token' }, 401) : c.json(claims);
    }),
  );
  app.post('/oauth2/token', async (c) => {
    const form = new URLSearchParams(await c.req.text());
    const client = authenticated(c, form, (name) => oauth2.client(name));
    if (client === undefined) return c.body('', 401);
    const grant = form.get('grant_type');
    if (grant !== 'authorization_code' && grant !== 'refresh_token')
      return c.json({ error: 'access_denied' }, 400);
    const answer =
      grant === 'authorization_code'
        ? await oauth2.redeem(client, form)
        : await oauth2.refreshed(client, form);
    return typeof answer === 'string' ? c.json({ error: answer }, 400) : c.json(answer);
  });
  app.post('/oauth2/token/introspect', async (c) => {
    const token = new URLSearchParams(await c.req.text()).get('token') ?? '';
    return ofToken(c, async () => c.json(await oauth2.introspect(token)), 401);
  });
  app.post('/oauth2/token/revoke', async (c) => {
    const token = new URLSearchParams(await c.req.text()).get('token') ?? '';
    return ofToken(
      c,
      async () => {
        await oauth2.revoke(token);
        return c.body('');
      },
      401,
    );
  });
}

/** What is no token of this server: 401 without a body, or 400 at userinfo. An ID token is always 400. */
async function ofToken(
  c: Context,
  answer: () => Promise<Response>,
  status: 400 | 401 = 400,
): Promise<Response> {
  try {
    return await answer();
  } catch (error) {
    if (error instanceof NoToken && status === 401) return c.body('', 401);
    if (!(error instanceof NoToken) && !(error instanceof NotAnAccessToken)) throw error;
    return c.json({ error: 'invalid_request' }, 400);
  }
}

/** By Basic or by the form; a public client by its name alone. */
function authenticated(
  c: Context,
  form: URLSearchParams,
  find: (name: string) => Client | undefined,
): Client | undefined {
  const basic = /^Basic (.+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  const [name = '', secret] =
    basic === undefined
      ? [form.get('client_id') ?? '', form.get('client_secret') ?? undefined]
      : Buffer.from(basic, 'base64').toString().split(':').map(decodeURIComponent);
  const client = find(name);
  if (client === undefined || client.secret === undefined) return client;
  return client.secret === secret ? client : undefined;
}

function discovery(url: string, issuer: string, client: Client): object {
  return {
    issuer,
    authorization_endpoint: `${url}/ui/oauth2`,
    token_endpoint: `${url}/oauth2/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/public_key.jwk`,
    scopes_supported: [...new Set(Object.values(client.scopes).flat())].sort(),
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'fragment'],
    grant_types_supported: ['authorization_code', 'urn:ietf:params:oauth:grant-type:token-exchange'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    claim_types_supported: ['normal'],
    claims_parameter_supported: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    code_challenge_methods_supported: ['S256'],
    revocation_endpoint: `${url}/oauth2/token/revoke`,
    revocation_endpoint_auth_methods_supported: ['none'],
    introspection_endpoint: `${url}/oauth2/token/introspect`,
    introspection_endpoint_auth_methods_supported: ['none'],
  };
}
