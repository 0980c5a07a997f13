import { generateKey } from './keys.ts';
import { METRICS_TOKEN } from './metrics-token.ts';
import { startOidc, type OidcServer } from './oidc/index.ts';
import { startOpenFga } from './openfga/index.ts';
import { startPostgres } from './postgres.ts';
import { seed } from './seed.ts';
import { startUpstream } from './upstream/index.ts';

/** Variables of the gateway, by the names of docs/architecture.md. */
export type StackVariables = Readonly<Record<string, string>>;

export interface Stack {
  readonly variables: StackVariables;
  readonly oidc: OidcServer;
  /** Stops every part; safe to call twice. */
  close(): Promise<void>;
}

export interface StackOptions {
  /** Where the gateway will listen, so that the upstream can fetch its assertion keys. */
  readonly gatewayUrl: string;
}

interface Part {
  readonly url: string;
  close(): Promise<void>;
}

interface Parts {
  readonly oidc: OidcServer;
  readonly openfga: Part;
  readonly upstream: Part;
  readonly postgres: Part;
}

/** Everything the gateway talks to, in this process, on free loopback ports, gone when it ends. */
export async function startStack({ gatewayUrl }: StackOptions): Promise<Stack> {
  const jwksUrl = `${gatewayUrl}/.well-known/sallyport/jwks.json`;
  const starting = [
    startOidc(),
    startOpenFga(),
    startUpstream({ gatewayJwksUrl: jwksUrl }),
    startPostgres(),
  ] as const;
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= closeAll(starting));
  try {
    const [oidc, openfga, upstream, postgres] = await Promise.all(starting);
    return { oidc, close, variables: await variablesOf({ oidc, openfga, upstream, postgres }) };
  } catch (error) {
    await close();
    throw error;
  }
}

async function variablesOf({ oidc, openfga, upstream, postgres }: Parts): Promise<StackVariables> {
  const { storeId, modelId } = await seed({ url: openfga.url });
  const assertionKey = await generateKey('ES256', 'demo-gateway');
  return {
    UPSTREAM_URL: upstream.url,
    OPENFGA_URL: openfga.url,
    OPENFGA_STORE_ID: storeId,
    OPENFGA_MODEL_ID: modelId,
    ZITADEL_ISSUER_URL: oidc.url,
    ZITADEL_AUDIENCE: oidc.audience,
    ZITADEL_CLIENT_ID: oidc.clientId,
    ZITADEL_CLIENT_SECRET: oidc.clientSecret,
    DATABASE_URL: postgres.url,
    ASSERTION_KEYS: JSON.stringify({ keys: [assertionKey] }),
    METRICS_TOKEN,
    // The demo's forward-auth lines come from this machine.
    TRUSTED_PROXIES: '127.0.0.1/32',
    ENVIRONMENT: 'development',
  };
}

/** Waits for the parts still starting, so that none outlives a start that failed elsewhere. */
async function closeAll(parts: readonly Promise<Part>[]): Promise<void> {
  const settled = await Promise.allSettled(parts);
  await Promise.all(settled.flatMap((part) => (part.status === 'fulfilled' ? part.value.close() : [])));
}
