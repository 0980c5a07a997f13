import { randomBytes } from 'node:crypto';
import type { JWK } from 'jose';
import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { accountOf, zitadelScopes, type OidcDirectory, type WebClient } from './directory.ts';
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
  readonly directory?: OidcDirectory | undefined;
  readonly webClient?: WebClient | undefined;
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
  const { webClient, directory } = settings;
  const scopes = zitadelScopes(webClient?.projectId);
  return {
    routes: ROUTES,
    jwks: { keys: settings.keys },
    clients: clients(settings),
    cookies: { keys: [randomBytes(32).toString('hex')] },
    scopes: ['openid', 'profile', 'email', 'offline_access', ...Object.keys(scopes)],
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      ...Object.fromEntries(Object.entries(scopes).map(([scope, claims]) => [scope, [...claims]])),
    },
    // As Zitadel does where the application says so.
    conformIdTokenClaims: false,
    findAccount: (_ctx, sub) => findAccount(sub) ?? findPerson(directory, sub, webClient?.projectId),
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    loadExistingGrant,
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    clientBasedCORS: () => false,
    renderError,
    ttl: {
      AccessToken: HOUR_S,
      AuthorizationCode: 60,
      RefreshToken: 24 * HOUR_S,
      Grant: 24 * HOUR_S,
      IdToken: HOUR_S,
      Interaction: HOUR_S,
      Session: HOUR_S,
    },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      // Puts `sid` into ID tokens.
      backchannelLogout: { enabled: true },
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
        // Tokens for the demo's upstream; those of a web application are opaque, as Zitadel's are by default.
        defaultResource: (_ctx, client) => (client.clientId === webClient?.id ? [] : RESOURCE),
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

function clients({
  issuer,
  gatewaySecret,
  webClient,
}: ProviderSettings): NonNullable<Configuration['clients']> {
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
    ...(webClient === undefined ? [] : [webApplication(webClient)]),
  ];
}

function webApplication({ id, secret, redirectUris, backchannelLogoutUri }: WebClient) {
  return {
    client_id: id,
    client_secret: secret,
    redirect_uris: [...redirectUris],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code' as const],
    ...(backchannelLogoutUri !== undefined && {
      backchannel_logout_uri: backchannelLogoutUri,
      backchannel_logout_session_required: true,
    }),
  };
}

function findPerson(directory: OidcDirectory | undefined, sub: string, projectId: string | undefined) {
  const person = directory?.find(sub);
  return person === undefined ? undefined : accountOf(person, projectId);
}

function findAccount(sub: string) {
  const user = findUser(sub);
  if (user === undefined) return undefined;
  return {
    accountId: user.id,
    claims: () => ({ sub: user.id, name: user.name, preferred_username: user.id }),
  };
}

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
  const { scope } = ctx.oidc.params ?? {};
  grant.addOIDCScope(typeof scope === 'string' ? `openid profile ${scope}` : 'openid profile');
  grant.addResourceScope(RESOURCE, 'openid profile');
  await grant.save();
  return grant;
}
