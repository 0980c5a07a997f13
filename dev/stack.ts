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

/** Everything the gateway talks to, in this process, on free loopback ports, gone when it ends. */
export async function startStack({ gatewayUrl }: StackOptions): Promise<Stack> {
  const starting = {
    oidc: startOidc(),
    openfga: startOpenFga(),
    upstream: startUpstream({ gatewayJwksUrl: `${gatewayUrl}/.well-known/sallyport/jwks.json` }),
    postgres: startPostgres(),
  };
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= closeAll(Object.values(starting)));
  try {
    const [oidc, openfga, upstream, postgres] = await Promise.all([
      starting.oidc,
      starting.openfga,
      starting.upstream,
      starting.postgres,
    ]);
    const { storeId, modelId } = await seed({ url: openfga.url });
    return {
      oidc,
      close,
      variables: {
        ...zitadelVariables(oidc),
        UPSTREAM_URL: upstream.url,
        OPENFGA_URL: openfga.url,
        OPENFGA_STORE_ID: storeId,
        OPENFGA_MODEL_ID: modelId,
        DATABASE_URL: postgres.url,
        // The demo's forward-auth lines come from this machine.
        TRUSTED_PROXIES: '127.0.0.1/32',
        ENVIRONMENT: 'development',
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function zitadelVariables(oidc: OidcServer): StackVariables {
  return {
    ZITADEL_ISSUER_URL: oidc.url,
    ZITADEL_AUDIENCE: oidc.audience,
    ZITADEL_CLIENT_ID: oidc.clientId,
    ZITADEL_CLIENT_SECRET: oidc.clientSecret,
  };
}

/** Waits for the parts still starting, so that none outlives a start that failed elsewhere. */
async function closeAll(parts: readonly Promise<Part>[]): Promise<void> {
  const settled = await Promise.allSettled(parts);
  await Promise.all(settled.map((part) => (part.status === 'fulfilled' ? part.value.close() : undefined)));
}
