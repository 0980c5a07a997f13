import { FEATURE, type Authorization } from './authorization.ts';
import type { Issuer } from './issuer.ts';

/** One rule that takes every step: a token, the caller's quota and a relation. */
const RULES = JSON.stringify([{ path: '/api/:name', method: 'GET', feature: FEATURE }]);

/** The path that the load asks for. */
export const TARGET_PATH = '/api/things';

export interface Surroundings {
  readonly issuer: Issuer;
  readonly authorization: Authorization;
  readonly upstreamUrl: string;
}

/** The product's variables: the whole pipeline, memory counters whose quota is never reached. */
export function variables(
  { issuer, authorization, upstreamUrl }: Surroundings,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    UPSTREAM_URL: upstreamUrl,
    ACCESS_RULES: RULES,
    OPENFGA_URL: authorization.url,
    OPENFGA_STORE_ID: authorization.storeId,
    OPENFGA_MODEL_ID: authorization.modelId,
    ZITADEL_ISSUER_URL: issuer.url,
    ZITADEL_AUDIENCE: issuer.audience,
    RATE_LIMIT: '1000000/60s',
    ENVIRONMENT: 'development',
    LOG_LEVEL: 'info',
    HOST: '127.0.0.1',
    ...more,
  };
}
