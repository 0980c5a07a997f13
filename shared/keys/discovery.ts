import * as z from 'zod';
import { ProviderUnavailable } from '../errors.ts';
import type { Fetch, MaybePromise } from '../ports/runtime.ts';
import { Refreshed, type RefreshDeps } from '../caches/refreshed.ts';
import { fetchJson, withoutNulls } from './fetch-json.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** A provider's endpoints rarely move: cached for a day, for a week while the provider is away. */
const POLICY = { softMs: DAY_MS, hardMs: DAY_MS + 60 * 60 * 1000, staleMs: 7 * DAY_MS };

export interface ProviderMetadata {
  readonly jwksUri: string;
  readonly introspectionEndpoint: string | undefined;
  readonly authorizationEndpoint: string | undefined;
  readonly tokenEndpoint: string | undefined;
  readonly userinfoEndpoint: string | undefined;
  /** Undefined where the document lists none. */
  readonly scopes: readonly string[] | undefined;
  /** RFC 9207: its authorization responses carry `iss`. */
  readonly namesItself: boolean;
}

/** OpenID Connect Discovery 1.0 of one issuer. */
export interface Discovery {
  readonly issuerUrl: string;
  /** Rejects with `ProviderUnavailable`. */
  metadata(): MaybePromise<ProviderMetadata>;
  /** Fetches the document again: an endpoint may have moved. */
  reload(): Promise<ProviderMetadata>;
}

export interface ProviderDeps extends RefreshDeps {
  readonly fetch: Fetch;
  /** Milliseconds for one exchange; 3 s by default. */
  readonly timeoutMs?: number;
  /** Real time by default. */
  readonly sleep?: (ms: number) => Promise<void>;
}

const documentSchema = z.object({
  issuer: z.string(),
  jwks_uri: z.url(),
  introspection_endpoint: z.url().optional(),
  authorization_endpoint: z.url().optional().catch(undefined),
  token_endpoint: z.url().optional().catch(undefined),
  userinfo_endpoint: z.url().optional(),
  scopes_supported: z.array(z.string()).optional().catch(undefined),
  authorization_response_iss_parameter_supported: z.boolean().optional().catch(undefined),
});

export function createDiscovery(issuerUrl: string, deps: ProviderDeps): Discovery {
  const documentUrl = `${issuerUrl.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const load = async (): Promise<ProviderMetadata> =>
    parse(issuerUrl, documentUrl, await fetchJson(deps.fetch, documentUrl, { timeoutMs: deps.timeoutMs }));
  const document = new Refreshed(load, POLICY, deps);
  return { issuerUrl, metadata: () => document.get(), reload: () => document.reload() };
}

function parse(issuerUrl: string, documentUrl: string, json: unknown): ProviderMetadata {
  const parsed = documentSchema.safeParse(withoutNulls(json));
  if (!parsed.success) throw new ProviderUnavailable(`${documentUrl}: not a discovery document`);
  const { data } = parsed;
  const { issuer, jwks_uri: jwksUri } = data;
  const { introspection_endpoint: introspectionEndpoint, userinfo_endpoint: userinfoEndpoint } = data;
  // OpenID Connect Discovery 1.0 §4.3: otherwise one provider could impersonate another.
  if (issuer !== issuerUrl)
    throw new ProviderUnavailable(`${documentUrl}: names another issuer${shown(issuer)}`);
  for (const endpoint of [jwksUri, introspectionEndpoint, userinfoEndpoint]) {
    if (endpoint !== undefined && !isAsSafe(endpoint, issuerUrl))
      throw new ProviderUnavailable(`${documentUrl}: names an endpoint without TLS`);
  }
  // A resource server does without these: one that is not safe is none.
  const safe = (endpoint: string | undefined) =>
    endpoint !== undefined && isAsSafe(endpoint, issuerUrl) ? endpoint : undefined;
  return {
    jwksUri,
    introspectionEndpoint,
    authorizationEndpoint: safe(data.authorization_endpoint),
    tokenEndpoint: safe(data.token_endpoint),
    userinfoEndpoint,
    scopes: data.scopes_supported,
    namesItself: data.authorization_response_iss_parameter_supported ?? false,
  };
}

/** Shown because the two mostly differ by a slash or a version. */
function shown(issuer: string): string {
  return /^https?:[!-~]{1,200}$/.test(issuer) ? `, ${issuer}` : '';
}

/** Keys and client secrets must not travel less protected than the issuer's own address. */
function isAsSafe(endpoint: string, issuerUrl: string): boolean {
  return (
    endpoint.startsWith('https://') || (endpoint.startsWith('http://') && issuerUrl.startsWith('http://'))
  );
}
