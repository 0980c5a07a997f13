import type { GatewayRequest } from './request.ts';

const PREFLIGHT_SECONDS = '600';

export interface Cors {
  /** True when ALLOWED_ORIGINS names any: then the upstream's own CORS fields stay behind. */
  readonly active: boolean;
  /** Fields for any answer to this request, refusals too: a single-page app must be able to read its 401. */
  headers(request: GatewayRequest): readonly string[];
  /** Fields of the answer to a preflight from a listed origin; undefined when the request is not one. */
  preflight(request: GatewayRequest): readonly string[] | undefined;
}

const NONE: readonly string[] = [];
const VARY: readonly string[] = ['vary', 'Origin'];
const EXPOSED = 'X-Request-ID, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate';

/** Fetch standard §3.2. Origins are compared whole; only a listed one is ever reflected. */
export function cors(allowedOrigins: readonly string[]): Cors {
  const allowed = new Set(allowedOrigins);
  const active = allowed.size > 0;
  const listed = (request: GatewayRequest): string | undefined => {
    const { origin } = request.read;
    return origin !== undefined && allowed.has(origin) ? origin : undefined;
  };
  return {
    active,
    headers(request) {
      if (!active) return NONE;
      const origin = listed(request);
      if (origin === undefined) return VARY;
      return [...granting(origin), 'access-control-expose-headers', EXPOSED, ...VARY];
    },
    preflight(request) {
      if (request.method !== 'OPTIONS' || request.read.preflightMethod === undefined) return undefined;
      const origin = listed(request);
      if (origin === undefined) return undefined;
      const requested = request.read.preflightHeaders;
      return [
        ...granting(origin),
        'access-control-allow-methods',
        request.read.preflightMethod,
        ...(requested === undefined ? [] : ['access-control-allow-headers', requested]),
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
