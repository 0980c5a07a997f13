import { generateKeys } from '../../cli/keys.ts';
import { startOpenFga } from '../../dev/openfga/index.ts';
import { seed } from '../../dev/seed.ts';
import { startEchoUpstream, type EchoUpstream } from './echo-upstream.ts';
import type { GatewayVariables } from './gateway/runtime.ts';
import { createIssuer, type FakeIssuer, type IssuerOptions, type SignOptions } from './issuer.ts';
import { startSwitchProxy, type SwitchProxy } from './switch-proxy.ts';

/** Everything a gateway stands between, on loopback. */
export interface World {
  readonly issuer: FakeIssuer;
  readonly upstream: EchoUpstream;
  /** In front of an OpenFGA that holds config/model.fga and the demo's tuples. */
  readonly openfga: SwitchProxy;
  /** What a gateway needs to stand here; RATE_LIMIT is out of the way. */
  readonly variables: GatewayVariables;
  /** What no log may hold: signatures of tokens made here, keys, secrets of the variables. */
  readonly secrets: string[];
  /** `Bearer …` of a token that the issuer signed; `sub` is alice unless told. */
  bearer(claims?: Record<string, unknown>, options?: SignOptions): Promise<string>;
  close(): Promise<void>;
}

export interface WorldOptions extends IssuerOptions {
  readonly rules?: readonly object[];
}

export const METRICS_TOKEN = 'metrics-token-of-this-test';

/** /public is public, /admin needs a relation that only bob holds; the rest is one path per feature of a rule. */
export const RULES: readonly object[] = [
  { path: '/public/*rest', method: '*', feature: 'public_access' },
  { path: '/me', method: '*', feature: 'authenticated' },
  { path: '/me/*rest', method: '*', feature: 'authenticated' },
  { path: '/admin/*rest', method: '*', feature: 'feature:admin_panel', action: 'manager' },
  { path: '/reports', method: 'GET', feature: 'report_viewer' },
  { path: '/documents/:id', method: 'GET', object: 'document:{id}', action: 'view' },
  { path: '/documents/:id', method: 'DELETE', object: 'document:{id}', action: 'delete' },
  { path: '/api/v1/*rest', method: '*', feature: 'public_access', strip_prefix: '/api' },
  { path: '/shadow', method: 'GET', feature: 'admin_panel', mode: 'shadow' },
  { path: '/hosted/*rest', method: 'GET', feature: 'authenticated', preserve_host: true },
  { path: '/discreet', method: 'GET', feature: 'authenticated', forward_authorization: false },
  { path: '/few', method: 'GET', feature: 'authenticated', rate_limit: '3/1h' },
  { path: '/few/public', method: 'GET', feature: 'public_access', rate_limit: '2/1h' },
  { path: '/slow', method: '*', feature: 'public_access', timeout_ms: 200 },
  { path: '/closed/*rest', method: '*', feature: 'public_access', target: 'closed' },
  { path: '/ws/*rest', method: 'GET', feature: 'authenticated' },
];

export async function openWorld({ rules = RULES, ...options }: WorldOptions = {}): Promise<World> {
  const issuer = await createIssuer(options);
  const fga = await startOpenFga();
  const [provider, upstream, openfga, { storeId, modelId }, assertionKeys] = await Promise.all([
    issuer.listen(),
    startEchoUpstream(),
    startSwitchProxy(fga.url),
    seed({ url: fga.url }),
    generateKeys(),
  ]);
  const variables = {
    UPSTREAM_URL: upstream.url,
    // Port 1 of loopback: nothing listens there, so no connection ever opens.
    TARGET_CLOSED_URL: 'http://127.0.0.1:1',
    OPENFGA_URL: openfga.url,
    OPENFGA_STORE_ID: storeId,
    OPENFGA_MODEL_ID: modelId,
    // Parsing the shipped model is most of what a start takes; test/gateway/configuration.test.ts has it.
    OPENFGA_MODEL: 'off',
    ZITADEL_ISSUER_URL: issuer.url,
    ZITADEL_AUDIENCE: 'api',
    ACCESS_RULES: JSON.stringify(rules),
    ASSERTION_KEYS: JSON.stringify(assertionKeys),
    RATE_LIMIT: '1000000/1s',
    METRICS_TOKEN,
  };
  const secrets = [METRICS_TOKEN, ...privateParts(assertionKeys)];
  return {
    issuer,
    upstream,
    openfga,
    variables,
    secrets,
    bearer: async (claims, options) => {
      const token = await issuer.sign(claims, options);
      secrets.push(token.slice(token.lastIndexOf('.') + 1));
      return `Bearer ${token}`;
    },
    async close() {
      await Promise.all([provider.close(), upstream.close(), openfga.close()]);
      await fga.close();
    },
  };
}

function privateParts({ keys }: Awaited<ReturnType<typeof generateKeys>>): string[] {
  return keys.map((key) => String(key['d']));
}
