const PREFLIGHT_SECONDS = '600';

export interface Cors {
  /** True when ALLOWED_ORIGINS names any: then the upstream's own CORS fields are dropped. */
  readonly active: boolean;
  /** Fields for any answer to this request, refusals too: a single-page app must be able to read its 401. */
  headers(origin: string | undefined): readonly string[];
  /** Fields of the answer to a preflight from a listed origin; undefined when the request is not one. */
  preflight(method: string, fields: CorsFields): readonly string[] | undefined;
}

/** Request fields that browsers set and pages cannot (Fetch standard §4.9). */
export interface CorsFields {
  readonly origin: string | undefined;
  readonly preflightMethod: string | undefined;
  readonly preflightHeaders: string | undefined;
}

const NONE: readonly string[] = [];
const VARY: readonly string[] = ['vary', 'Origin'];
const EXPOSED = 'X-Request-ID, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate';

/** Fetch standard §3.2. Origins are compared whole; only a listed one is ever reflected. */
export function cors(allowedOrigins: readonly string[]): Cors {
  const allowed = new Set(allowedOrigins);
  const active = allowed.size > 0;
  const isListed = (origin: string | undefined): origin is string =>
    origin !== undefined && allowed.has(origin);
  return {
    active,
    headers(origin) {
      if (!active) return NONE;
      if (!isListed(origin)) return VARY;
      return [...granting(origin), 'access-control-expose-headers', EXPOSED, ...VARY];
    },
    preflight(method, { origin, preflightMethod, preflightHeaders }) {
      if (method !== 'OPTIONS' || preflightMethod === undefined || !isListed(origin)) return undefined;
      return [
        ...granting(origin),
        'access-control-allow-methods',
        preflightMethod,
        ...(preflightHeaders === undefined ? [] : ['access-control-allow-headers', preflightHeaders]),
        'access-control-max-age',
        PREFLIGHT_SECONDS,
        'vary',
        'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
      ];
    },
  };
}

function granting(origin: string): string[] {
  return ['access-control-allow-origin', origin, 'access-control-allow-credentials', 'true'];
}
