import { createServer } from 'node:http';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { listen, stop } from '../dev/listen.ts';

const AUDIENCE = 'bench';
const KEY_ID = 'bench-rs256';
const LIFETIME = '2h';

export interface Issuer {
  readonly url: string;
  readonly audience: string;
  /** The public key in PEM, for servers that cannot fetch a key set. */
  readonly publicKeyPem: string;
  /** `count` RS256 access tokens, each of another subject. */
  mint(count: number): Promise<string[]>;
  close(): Promise<void>;
}

/** An identity provider reduced to discovery, keys and tokens, on loopback. */
export async function startIssuer(): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: KEY_ID, alg: 'RS256', use: 'sig' };
  let url = '';
  const server = createServer((request, response) => {
    const discovery = request.url?.endsWith('/openid-configuration');
    const body = discovery ? { issuer: url, jwks_uri: `${url}/keys` } : { keys: [jwk] };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
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
    mint: (count) => Promise.all(Array.from({ length: count }, (_, index) => sign(`caller-${index}`))),
    close: () => stop(server),
  };
}
