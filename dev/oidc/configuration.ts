import { randomBytes } from 'node:crypto';
import type { JWK } from 'jose';
import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { problemPage } from './pages.ts';
import { findUser } from './users.ts';

/** `aud` of the demo's access tokens. */
export const AUDIENCE = 'sallyport-demo';
/** RFC 8707 wants a URI, so the audience has one of its own. */
export const RESOURCE = 'urn:sallyport:demo';
export const PAGE_CLIENT_ID = 'demo-page';
export const GATEWAY_CLIENT_ID = 'sallyport-gateway';

const HOUR_S = 3600;

export interface ProviderSettings {
  readonly issuer: string;
  readonly keys: readonly JWK[];
  readonly gatewaySecret: string;
}

/** Paths are Zitadel's, so that the demo's discovery document reads like the real one. */
const ROUTES = {
  authorization: '/oauth/v2/authorize',
  token: '/oauth/v2/token',
  introspection: '/oauth/v2/introspect',
  revocation: '/oauth/v2/revoke',
  jwks: '/oauth/v2/keys',
  userinfo: '/oidc/v1/userinfo',
};

export function configuration(settings: ProviderSettings): Configuration {
  return {
    routes: ROUTES,
    jwks: { keys: settings.keys },
    clients: clients(settings),
    cookies: { keys: [randomBytes(32).toString('hex')] },
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'] },
    findAccount,
    loadExistingGrant,
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    clientBasedCORS: () => false,
    renderError,
    ttl: {
      AccessToken: HOUR_S,
      AuthorizationCode: 60,
      Grant: 24 * HOUR_S,
      IdToken: HOUR_S,
      Interaction: HOUR_S,
      Session: HOUR_S,
    },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      introspection: {
        enabled: true,
        allowedPolicy: (_ctx, client) => client.clientId === GATEWAY_CLIENT_ID,
      },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: 'openid profile',
          audience: AUDIENCE,
          accessTokenFormat: 'jwt',
          accessTokenTTL: HOUR_S,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  };
}

function clients({ issuer, gatewaySecret }: ProviderSettings): NonNullable<Configuration['clients']> {
  return [
    {
      client_id: PAGE_CLIENT_ID,
      client_name: 'Sallyport demo',
      redirect_uris: [`${issuer}/callback`],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    {
      client_id: GATEWAY_CLIENT_ID,
      client_secret: gatewaySecret,
      redirect_uris: [],
      grant_types: [],
      response_types: [],
    },
  ];
}

const findAccount: Configuration['findAccount'] = (_ctx, sub) => {
  const user = findUser(sub);
  if (user === undefined) return undefined;
  return {
    accountId: user.id,
    claims: () => ({ sub: user.id, name: user.name, preferred_username: user.id }),
  };
};

const renderError: Configuration['renderError'] = async (ctx, out) => {
  ctx.type = 'html';
  ctx.body = (await problemPage(out.error_description ?? out.error)).toString();
};

/** The one client is the demo itself: asking for consent would teach nothing. */
async function loadExistingGrant(ctx: KoaContextWithOIDC) {
  const { client, session, provider } = ctx.oidc;
  if (client === undefined || session?.accountId === undefined) return undefined;
  const known = session.grantIdFor(client.clientId);
  if (known !== undefined) return provider.Grant.find(known);
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope('openid profile');
  grant.addResourceScope(RESOURCE, 'openid profile');
  await grant.save();
  return grant;
}
