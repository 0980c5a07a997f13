import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import type { CryptoKey, JSONWebKeySet, JWK, JWTHeaderParameters } from 'jose';
import type { Clock, Fetch } from '../../shared/ports/runtime.ts';
import { answer } from './issuer-http.ts';
import { serve, type Served } from './serve.ts';

export interface IssuerOptions {
  /** Replaced by the loopback address when `listen` is used. */
  readonly url?: string;
  readonly alg?: string;
  readonly kid?: string;
  /** Stamps `iat` and `exp`; the system clock by default. */
  readonly clock?: Clock;
  /** The client that may introspect; any may when absent. */
  readonly client?: { readonly id: string; readonly secret: string };
  /** Further endpoints, by path. */
  readonly endpoints?: Readonly<Record<string, (request: Request) => Promise<Response>>>;
}

export interface SignOptions {
  /** Merged over `{alg, kid, typ: 'JWT'}`; `undefined` removes a member. */
  readonly header?: Record<string, unknown>;
  /** Sign with this published or removed key instead of the newest. */
  readonly kid?: string;
}

/** How the provider misbehaves: no answer at all, an answer that never ends, HTTP 500, or no JSON. */
export type Fault = 'refused' | 'hangs' | 'status' | 'garbage';

export interface FakeIssuer {
  readonly url: string;
  /** Path of every request received, in order. */
  readonly requests: string[];
  /** Per path (or for `*` all): the way it fails from now on. */
  readonly faults: Map<string, Fault>;
  /** Merged over the discovery document. */
  readonly metadata: Record<string, unknown>;
  /** Introspection answers by token; any other token is inactive. */
  readonly opaque: Map<string, Record<string, unknown>>;
  /** Answers of /userinfo by `sub` of a token, which is not verified; for any other it is revoked. */
  readonly userinfo: Map<string, Record<string, unknown>>;
  /** Members added to the published key set as they are. */
  readonly extraKeys: object[];
  /** Claims default to iss, aud `api`, sub `alice`, iat now, exp in 300 s; `undefined` removes one. */
  sign(claims?: Record<string, unknown>, options?: SignOptions): Promise<string>;
  jwks(): JSONWebKeySet;
  /** Publishes one more key; tokens are signed with it from now on. */
  addKey(kid: string, alg?: string): Promise<void>;
  removeKey(kid: string): void;
  /** The outgoing-HTTP port that reaches this issuer without a socket. */
  readonly fetch: Fetch;
  /** Serves on 127.0.0.1 and takes that address as issuer URL. */
  listen(port?: number): Promise<Served>;
}

interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

async function makeKey(kid: string, alg: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** An OpenID provider reduced to what a resource server sees: discovery, keys, introspection and tokens. */
export async function createIssuer(options: IssuerOptions = {}): Promise<FakeIssuer> {
  const alg = options.alg ?? 'ES256';
  const keys = [await makeKey(options.kid ?? 'key-1', alg)];
  const published = new Set(keys);
  const clock = options.clock ?? { now: () => Date.now() };
  const state = { url: options.url ?? 'https://issuer.test' };

  const sign: FakeIssuer['sign'] = async (claims = {}, { header = {}, kid } = {}) => {
    const key = kid === undefined ? keys.at(-1) : keys.find((candidate) => candidate.kid === kid);
    if (key === undefined) throw new Error(`no key ${kid}`);
    const iat = Math.floor(clock.now() / 1000);
    const payload = { iss: state.url, aud: 'api', sub: 'alice', iat, exp: iat + 300, ...claims };
    const protectedHeader = { alg: key.alg, kid: key.kid, typ: 'JWT', ...header };
    return new SignJWT(withoutUndefined(payload))
      .setProtectedHeader(withoutUndefined(protectedHeader) as JWTHeaderParameters)
      .sign(key.privateKey, { crit: { 'x-test': true } });
  };

  const issuer: FakeIssuer = {
    get url() {
      return state.url;
    },
    requests: [],
    faults: new Map(),
    metadata: {},
    opaque: new Map(),
    userinfo: new Map(),
    extraKeys: [],
    sign,
    jwks: () => ({ keys: [...[...published].map((key) => key.jwk), ...issuer.extraKeys] }),
    addKey: async (kid, keyAlg = alg) => {
      const key = await makeKey(kid, keyAlg);
      keys.push(key);
      published.add(key);
    },
    removeKey: (kid) => {
      for (const key of published) if (key.kid === kid) published.delete(key);
    },
    fetch: (url, init) => answer(issuer, options, new Request(url, init), init?.signal ?? undefined),
    listen: async (port = 0) => {
      const server = await serve(port, (request) => answer(issuer, options, request));
      state.url = server.url;
      return server;
    },
  };
  return issuer;
}

function withoutUndefined(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
}
