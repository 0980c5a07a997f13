import * as oauth from 'oauth4webapi';
import type { OAuthClient } from '../../configuration/oauth-clients.ts';
import { ProviderUnavailable } from '../../errors.ts';
import { zitadelGroupScopes } from '../../identity/tenant-groups.ts';
import { ALLOWED_ALGORITHMS } from '../../keys/algorithms.ts';
import type { ProviderMetadata } from '../../keys/discovery.ts';
import type { IssuerMetadata } from '../../keys/issuer.ts';
import { JwtRefused, verifyJwt } from '../../keys/verify-jwt.ts';
import type { Clock, Fetch } from '../../ports/runtime.ts';
import type { AuthorizationRequest, ProviderTokens, SignIn } from '../../ports/sign-in.ts';
import { accountOf, sidOf } from './claims.ts';
import { boundedFetch, declinedBy } from './exchange.ts';

export interface SignInDeps {
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly issuer: IssuerMetadata;
  /** Milliseconds for one exchange; 6 s by default. */
  readonly timeoutMs?: number;
}

/** Milliseconds between two looks at a discovery document that lacks a scope. */
const LOOK_AGAIN_MS = 60_000;

/** Sign-in by oauth4webapi: OpenID Connect Core with the code flow, PKCE and RFC 9207. */
export function openSignIn(config: OAuthClient, deps: SignInDeps): SignIn {
  const { provider, issuer, clientId } = config;
  const { discovery } = deps.issuer;
  const client: oauth.Client = { client_id: clientId };
  const authentication = authenticationOf(config);
  const fetch = boundedFetch(deps.fetch, deps.timeoutMs);
  const server = async () => serverOf(issuer, await discovery.metadata(), fetch);
  const scopes = scopesOf(config, deps);
  return {
    provider,
    issuer,
    clientId,
    async authorizationUrl(request) {
      const { authorizationEndpoint } = await discovery.metadata();
      if (authorizationEndpoint === undefined)
        throw new ProviderUnavailable(`${issuer}: names no authorization endpoint`);
      const url = new URL(authorizationEndpoint);
      for (const [name, value] of Object.entries(await parametersOf(request, clientId)))
        url.searchParams.set(name, value);
      url.searchParams.set('scope', (await scopes()).join(' '));
      return url.href;
    },
    async redeem({ parameters, redirectUri, state, nonce, verifier }) {
      const { as, options } = await server();
      try {
        const code = oauth.validateAuthResponse(as, client, parameters, state);
        const answer = await oauth.authorizationCodeGrantRequest(
          as,
          client,
          authentication,
          code,
          redirectUri,
          verifier,
          options,
        );
        const tokens = await oauth.processAuthorizationCodeResponse(as, client, answer, {
          expectedNonce: nonce,
          requireIdToken: true,
        });
        const claims = await verifiedIdToken(tokens.id_token ?? '', config, deps);
        return {
          outcome: 'signed-in',
          account: accountOf(claims, config),
          sid: sidOf(claims, tokens.access_token),
          tokens: tokensOf(tokens),
        };
      } catch (error) {
        if (error instanceof JwtRefused) return { outcome: 'declined', reason: `ID token: ${error.message}` };
        return declinedBy(error);
      }
    },
    async refresh(token) {
      const { as, options } = await server();
      try {
        const answer = await oauth.refreshTokenGrantRequest(as, client, authentication, token, options);
        const tokens = await oauth.processRefreshTokenResponse(as, client, answer);
        return { outcome: 'refreshed', tokens: tokensOf(tokens) };
      } catch (error) {
        return declinedBy(error);
      }
    },
    async account(accessToken, subject) {
      const { as, options } = await server();
      try {
        const answer = await oauth.userInfoRequest(as, client, accessToken, options);
        // RFC 6750 §3 wants a challenge with them, which not every server sends.
        if (answer.status === 401 || answer.status === 403)
          return { outcome: 'declined', reason: `userinfo: status ${answer.status}` };
        const claims = await oauth.processUserInfoResponse(as, client, subject, answer);
        return { outcome: 'account', account: { ...accountOf(claims, config), complete: true } };
      } catch (error) {
        if (error instanceof JwtRefused) return { outcome: 'declined', reason: `userinfo: ${error.message}` };
        return declinedBy(error);
      }
    },
  };
}

function serverOf(issuer: string, metadata: ProviderMetadata, fetch: ReturnType<typeof boundedFetch>) {
  const { tokenEndpoint, userinfoEndpoint, namesItself } = metadata;
  // Endpoints of an issuer on loopback have no TLS, and the library refuses them: it gets them as https, and its fetch undoes that.
  const real = new Map<string, string>();
  const withTls = (endpoint: string): string => {
    const shown = new URL(endpoint.replace(/^http:/, 'https:')).href;
    real.set(shown, endpoint);
    return shown;
  };
  const as: oauth.AuthorizationServer = {
    issuer,
    ...(tokenEndpoint !== undefined && { token_endpoint: withTls(tokenEndpoint) }),
    ...(userinfoEndpoint !== undefined && { userinfo_endpoint: withTls(userinfoEndpoint) }),
    authorization_response_iss_parameter_supported: namesItself,
    // Whatever the document says: the signature is verified by the keys, each with its own algorithm.
    id_token_signing_alg_values_supported: [...ALLOWED_ALGORITHMS],
  };
  const through: typeof fetch = (url, sent) => fetch(real.get(url) ?? url, sent);
  return { as, options: { [oauth.customFetch]: through } };
}

/** Kanidm takes the header as it is, without undoing the escapes of RFC 6749 §2.3.1, so that an id with `_` would be another. */
function authenticationOf({ provider, clientSecret }: OAuthClient): oauth.ClientAuth {
  if (clientSecret === null) return oauth.None();
  return provider === 'kanidm' ? oauth.ClientSecretPost(clientSecret) : oauth.ClientSecretBasic(clientSecret);
}

async function parametersOf(
  { redirectUri, state, nonce, verifier, loginHint }: AuthorizationRequest,
  clientId: string,
): Promise<Record<string, string>> {
  return {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...(loginHint !== null && { login_hint: loginHint }),
  };
}

/**
 * Kanidm refuses a request with any scope that no scope map names (403), so only what its discovery document lists is asked for;
 * a scope map may be younger than the document that is held.
 */
function scopesOf(config: OAuthClient, { issuer, clock }: SignInDeps): () => Promise<readonly string[]> {
  const wanted = wantedOf(config);
  if (config.provider !== 'kanidm') return async () => wanted;
  let lookedAt = -Infinity;
  return async () => {
    const { scopes: held } = await issuer.discovery.metadata();
    if (held === undefined) return wanted;
    const all = wanted.every((scope) => held.includes(scope));
    if (all || clock.now() - lookedAt < LOOK_AGAIN_MS) return listed(wanted, held);
    lookedAt = clock.now();
    const { scopes = wanted } = await issuer.discovery.reload().catch(() => ({ scopes: held }));
    return listed(wanted, scopes);
  };
}

function wantedOf({ provider, projectId }: OAuthClient): readonly string[] {
  const common = ['openid', 'profile', 'email'];
  if (provider === 'kanidm') return [...common, 'groups'];
  return [...common, 'offline_access', ...zitadelGroupScopes(projectId)];
}

/** Without `openid` there is no ID token, so it is asked for in any case. */
function listed(wanted: readonly string[], scopes: readonly string[]): readonly string[] {
  return wanted.filter((scope) => scope === 'openid' || scopes.includes(scope));
}

/** By the keys that the gateway verifies with: the library checks claims, and leaves signatures to TLS. */
async function verifiedIdToken(token: string, { issuer, clientId }: OAuthClient, deps: SignInDeps) {
  const { claims } = await verifyJwt(token, {
    keys: deps.issuer.keys,
    address: issuer,
    options: {
      issuer,
      audience: clientId,
      clockTolerance: 30,
      currentDate: new Date(deps.clock.now()),
      requiredClaims: ['sub', 'exp', 'iat'],
    },
  });
  // OpenID Connect Core §3.1.3.7, which the library checks only beside several audiences.
  if (claims['azp'] !== undefined && claims['azp'] !== clientId)
    throw new JwtRefused('claim azp not accepted');
  return claims;
}

function tokensOf({
  access_token: access,
  refresh_token: refresh,
}: oauth.TokenEndpointResponse): ProviderTokens {
  return { access, refresh: refresh ?? null };
}
