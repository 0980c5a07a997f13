import { randomBytes } from 'node:crypto';
import type Provider from 'oidc-provider';
import { AUDIENCE, PAGE_CLIENT_ID, RESOURCE } from './configuration.ts';
import type { SigningAlgorithm } from '../keys.ts';

export interface MintOptions {
  readonly audience?: string;
  /** Default 3600. */
  readonly ttlSeconds?: number;
  /** True: a reference token, to be introspected (RFC 7662). False: a JWT (RFC 9068). */
  readonly opaque?: boolean;
  /** True: opaque, and introspected as Zitadel introspects a personal access token. */
  readonly pat?: boolean;
  /** Default RS256. */
  readonly alg?: SigningAlgorithm;
}

/** Scope that marks a personal access token in the stand-in. */
export const PAT_SCOPE = 'urn:zitadel:iam:user:resourceowner';

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
    scope: options.pat === true ? `openid profile ${PAT_SCOPE}` : 'openid profile',
    expiresIn,
    resourceServer: resourceServer(provider, options),
  });
  // The provider makes up both where there is no id yet.
  if (isOpaque(options)) Object.assign(token, { format: 'opaque', jti: encrypted() });
  return token.save();
}

function resourceServer(provider: Provider, options: MintOptions) {
  return new provider.ResourceServer(RESOURCE, {
    scope: 'openid profile',
    audience: options.audience ?? AUDIENCE,
    accessTokenFormat: isOpaque(options) ? 'opaque' : 'jwt',
    jwt: { sign: { alg: options.alg ?? 'RS256' } },
  });
}

function isOpaque({ opaque = false, pat = false }: MintOptions): boolean {
  return opaque || pat;
}

/** What Zitadel's opaque tokens look like: a compact JWE (RFC 7516), five parts, of which only the server can read more than the first. */
function encrypted(): string {
  const part = (bytes: number): string => randomBytes(bytes).toString('base64url');
  const header = { alg: 'A256GCMKW', enc: 'A256GCM', iv: part(12), tag: part(16) };
  const first = Buffer.from(JSON.stringify(header)).toString('base64url');
  return [first, part(32), part(12), part(41), part(16)].join('.');
}
