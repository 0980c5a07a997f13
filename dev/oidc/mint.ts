import type Provider from 'oidc-provider';
import { AUDIENCE, PAGE_CLIENT_ID, RESOURCE } from './configuration.ts';
import type { SigningAlgorithm } from '../keys.ts';

export interface MintOptions {
  readonly audience?: string;
  /** Default 3600. */
  readonly ttlSeconds?: number;
  /** True: a reference token, to be introspected (RFC 7662). False: a JWT (RFC 9068). */
  readonly opaque?: boolean;
  /** Default RS256. */
  readonly alg?: SigningAlgorithm;
}

/** An access token without the sign-in page; whether there is such a user is the caller's to know. */
export async function mint(provider: Provider, userId: string, options: MintOptions = {}): Promise<string> {
  const client = await provider.Client.find(PAGE_CLIENT_ID);
  if (client === undefined) throw new Error(`The client ${PAGE_CLIENT_ID} is missing`);
  const expiresIn = options.ttlSeconds ?? 3600;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: userId });
  const token = new provider.AccessToken({
    client,
    accountId: userId,
    grantId: await grant.save(),
    gty: 'authorization_code',
    scope: 'openid profile',
    expiresIn,
    resourceServer: resourceServer(provider, options),
  });
  return token.save();
}

function resourceServer(provider: Provider, options: MintOptions) {
  return new provider.ResourceServer(RESOURCE, {
    scope: 'openid profile',
    audience: options.audience ?? AUDIENCE,
    accessTokenFormat: options.opaque === true ? 'opaque' : 'jwt',
    jwt: { sign: { alg: options.alg ?? 'RS256' } },
  });
}
