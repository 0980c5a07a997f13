import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { generateKey, SIGNING_ALGORITHMS } from '../keys.ts';
import { listen, LOOPBACK, stop } from '../listen.ts';
import { demoApp } from './app.ts';
import { AUDIENCE, configuration, GATEWAY_CLIENT_ID } from './configuration.ts';
import type { OidcDirectory, WebClient } from './directory.ts';
import { mint, type MintOptions } from './mint.ts';
import { withoutAdvice } from './quiet.ts';
import { SignedInPeople } from './signed-in.ts';
import { findUser, type IsUser } from './users.ts';

export interface OidcServer {
  /** The issuer, without a trailing slash. */
  readonly url: string;
  readonly audience: string;
  /** For introspection (RFC 7662); made at start. */
  readonly clientId: string;
  readonly clientSecret: string;
  mintToken(user: string, options?: MintOptions): Promise<string>;
  /** Sends the web client a logout token for each session of a person; resolves to how many it accepted. */
  signOut(userId: string): Promise<number>;
  close(): Promise<void>;
}

export interface OidcOptions {
  /** 0 = any free one. */
  readonly port?: number;
  /** Users beside those of the sign-in page, for whom the terminal may have tokens. */
  readonly isUser?: IsUser;
  /** People who sign in by name and password, at the web client. */
  readonly directory?: OidcDirectory;
  readonly webClient?: WebClient;
}

export class UnknownUser extends Error {
  override readonly name = 'UnknownUser';
}

/** The demo's OpenID provider, in memory, on loopback. */
export async function startOidc(options: OidcOptions = {}): Promise<OidcServer> {
  const { isUser: isOther = () => false, directory, webClient } = options;
  const isUser: IsUser = (id) => findUser(id) !== undefined || isOther(id);
  const keys = await Promise.all(
    SIGNING_ALGORITHMS.map((alg) => generateKey(alg, `demo-${alg.toLowerCase()}`)),
  );
  const server = createServer();
  // The issuer carries the port, so the socket comes before the provider.
  const url = `http://${LOOPBACK}:${await listen(server, options.port)}`;
  const clientSecret = randomBytes(24).toString('base64url');
  const provider = await withoutAdvice(async () => {
    const { default: Provider } = await import('oidc-provider');
    return new Provider(
      url,
      configuration({ issuer: url, keys, gatewaySecret: clientSecret, directory, webClient }),
    );
  });
  const handle = provider.callback();
  const app = demoApp(provider, isUser, clientSecret, { directory, clientId: webClient?.id });
  const [key] = keys;
  const signedIn = webClient && key && new SignedInPeople(provider, webClient, key);
  const ownPages = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  server.on('request', (request, response) => {
    void (isOwnPage(request.url) ? ownPages : handle)(request, response);
  });
  return {
    url,
    audience: AUDIENCE,
    clientId: GATEWAY_CLIENT_ID,
    clientSecret,
    async mintToken(user, mintOptions) {
      if (!isUser(user)) throw new UnknownUser(`There is no demo user ${JSON.stringify(user)}`);
      return mint(provider, user, mintOptions);
    },
    signOut: async (userId) => (await signedIn?.signOut(userId)) ?? 0,
    close: () => stop(server),
  };
}

const OWN_PAGES = /^\/(?:$|\?|(?:sign-in|callback|demo\/token|oauth\/v2\/introspect)(?:$|\?)|interaction\/)/;

function isOwnPage(target: string | undefined): boolean {
  return target !== undefined && OWN_PAGES.test(target);
}
