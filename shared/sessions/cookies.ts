import type { SessionsConfig } from '../configuration/sessions.ts';
import { Refusal } from '../errors.ts';

/** The tokens that a browser holds. */
export interface TokenPair {
  readonly access: string;
  readonly refresh: string;
}

/** RFC 6265bis §4.1.3.2: `__Host-` binds a cookie to this very host, and needs Secure. */
export function cookieNames({ secure }: Pick<SessionsConfig, 'secure'>): {
  readonly access: string;
  readonly refresh: string;
} {
  const prefix = secure ? '__Host-' : '';
  return { access: `${prefix}sallyport`, refresh: `${prefix}sallyport_refresh` };
}

/** The name of a cookie that keeps a sign-in under way, without the part by which two of them differ. */
export function pendingPrefix(config: Pick<SessionsConfig, 'secure'>): string {
  return `${cookieNames(config).access}_in_`;
}

/** Whether a cookie is of a session or of a sign-in: they are named alike, so that none of them ever goes to an upstream. */
export function isOwnCookie(
  name: string,
  { access }: Pick<ReturnType<typeof cookieNames>, 'access'>,
): boolean {
  return name === access || name.startsWith(`${access}_`);
}

/**
 * Set-Cookie values of a session. Both live as long as the refresh token: a browser that still sends a token that ran out
 * shows that it may be renewed.
 */
export function sessionCookies(
  pair: TokenPair,
  config: Pick<SessionsConfig, 'secure' | 'refreshSeconds'>,
): readonly string[] {
  const names = cookieNames(config);
  return [
    cookie(names.access, pair.access, config.refreshSeconds, config),
    cookie(names.refresh, pair.refresh, config.refreshSeconds, config),
  ];
}

/** Set-Cookie values that end it in the browser. */
export function endedCookies(config: Pick<SessionsConfig, 'secure'>): readonly string[] {
  const names = cookieNames(config);
  return [cookie(names.access, '', 0, config), cookie(names.refresh, '', 0, config)];
}

/** One cookie for this host alone. `seconds` 0 removes it. */
export function cookie(
  name: string,
  value: string,
  seconds: number,
  { secure }: Pick<SessionsConfig, 'secure'>,
): string {
  const parts = [`${name}=${value}`, 'Path=/', `Max-Age=${seconds}`, 'HttpOnly', 'SameSite=Lax'];
  return [...parts, ...(secure ? ['Secure'] : [])].join('; ');
}

/**
 * Names and values of a Cookie field. Browsers let a comma stand within a value (RFC 6265bis §5.6), so none separates: a sibling
 * host could write a cookie with the prefix `__Host-` behind it.
 */
export function cookiesIn(field: string | null | undefined): (readonly [name: string, value: string])[] {
  return (field ?? '').split(';').flatMap((pair) => {
    const at = pair.indexOf('=');
    return at > 0 ? [[pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as const] : [];
  });
}

/** A cookie of a request by its name; undefined where it is absent, empty or there more than once. */
export function readCookie(field: string | null | undefined, name: string): string | undefined {
  const values = cookiesIn(field).flatMap(([each, value]) => (each === name ? [value] : []));
  const [value] = values;
  return values.length === 1 && value !== '' ? value : undefined;
}

export interface SameSite {
  /** Origin of PUBLIC_URL. */
  readonly publicUrl: string;
  readonly allowedOrigins: readonly string[];
}

interface SiteFields {
  readonly method: string;
  /** Sec-Fetch-Site and Origin as sent. */
  readonly site: string | null | undefined;
  readonly origin: string | null | undefined;
}

/**
 * Whether a request with a session cookie comes from a page of our own or an allowed origin. SameSite=Lax lets sibling
 * subdomains send the cookie, so absent fields, `none` and `same-site` do not count. GET and HEAD change nothing.
 */
export function isOwnSite(
  { method, site, origin }: SiteFields,
  { publicUrl, allowedOrigins }: SameSite,
): boolean {
  if (method === 'GET' || method === 'HEAD') return true;
  if (site === 'same-origin') return true;
  return typeof origin === 'string' && (origin === publicUrl || allowedOrigins.includes(origin));
}

/** Throws Refusal `cross_site`. */
export function requireOwnSite(request: Request, own: SameSite): void {
  const fields = {
    method: request.method,
    site: request.headers.get('sec-fetch-site'),
    origin: request.headers.get('origin'),
  };
  if (!isOwnSite(fields, own))
    throw new Refusal('cross_site', 'a session cookie with a request of another site');
}
