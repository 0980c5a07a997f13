import { createServer } from 'node:http';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { listen, stop } from '../dev/listen.ts';
import { startOpenFga, type OpenFga } from '../dev/openfga/index.ts';
import { seed } from '../dev/seed.ts';

const AUDIENCE = 'bench';
const KEY_ID = 'bench-rs256';
const LIFETIME = '2h';

export interface Issuer {
  readonly url: string;
  readonly audience: string;
  /** The public key in PEM and as a key set, for servers that do not fetch one. */
  readonly publicKeyPem: string;
  readonly keySet: string;
  /** `count` RS256 access tokens, each of another subject. */
  mint(count: number): Promise<string[]>;
  close(): Promise<void>;
}

/** An identity provider reduced to discovery, keys and tokens, on loopback. */
export async function startIssuer(): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: KEY_ID, alg: 'RS256', use: 'sig' };
  const keySet = JSON.stringify({ keys: [jwk] });
  let url = '';
  const server = createServer((request, response) => {
    const discovery = request.url?.endsWith('/openid-configuration');
    const body = discovery ? JSON.stringify({ issuer: url, jwks_uri: `${url}/keys` }) : keySet;
    response.setHeader('content-type', 'application/json').end(body);
  });
  url = `http://127.0.0.1:${await listen(server)}`;
  const sign = (subject: string) =>
    new SignJWT({ scope: 'openid profile', client_id: 'bench-client' })
      .setProtectedHeader({ alg: 'RS256', kid: KEY_ID, typ: 'JWT' })
      .setIssuer(url)
      .setAudience(AUDIENCE)
      .setSubject(subject)
      .setIssuedAt()
      .setExpirationTime(LIFETIME)
      .sign(privateKey);
  return {
    url,
    audience: AUDIENCE,
    publicKeyPem: await exportSPKI(publicKey),
    keySet,
    mint: (count) => Promise.all(Array.from({ length: count }, (_, index) => sign(`caller-${index}`))),
    close: () => stop(server),
  };
}

export interface Authorization extends OpenFga {
  readonly storeId: string;
  readonly modelId: string;
}

/** The relation that the bench's rules ask for. */
export const FEATURE = 'bench';

/** The OpenFGA stand-in, with everybody a viewer of the feature. */
export async function startAuthorization(): Promise<Authorization> {
  const server = await startOpenFga();
  const { storeId, modelId } = await seed({ url: server.url });
  const tuple = { user: 'user:*', relation: 'viewer', object: `feature:${FEATURE}` };
  const answer = await fetch(`${server.url}/stores/${storeId}/write`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ writes: { tuple_keys: [tuple] }, authorization_model_id: modelId }),
  });
  if (!answer.ok) throw new Error(`the OpenFGA stand-in answered ${answer.status}`);
  return { ...server, storeId, modelId };
}
