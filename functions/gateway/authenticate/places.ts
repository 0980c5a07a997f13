import { Refusal } from '../../../shared/errors.ts';
import type { TokenPlace } from '../match/rules/claims.ts';
import { bearerToken, checkLength } from './token.ts';
import { malformedRequest, missingToken } from './token.ts';

/** The parts of a request that locate its token, and decide whether a cookie may be one. */
export interface Presented {
  readonly method: string;
  readonly target: string;
  readonly scheme: string;
  /** As sent by the caller. */
  readonly host: string;
  readonly read: {
    readonly authorization: string | undefined;
    readonly cookie: string | undefined;
    readonly protocols: string | undefined;
    readonly origin: string | undefined;
    readonly fetchSite: string | undefined;
    readonly upgrade: string | undefined;
  };
}

const BEARER_PROTOCOL = 'bearer.';

/**
 * The token of a request, from the places that a rule names. Throws Refusal `missing_token`, `invalid_token`,
 * `invalid_request` when two of them hold different tokens, of which gateway and upstream could use different ones; and
 * `forbidden` for a cookie that another site may have made the browser send.
 */
export function presentedToken(
  places: readonly TokenPlace[],
  request: Presented,
  allowedOrigins: ReadonlySet<string>,
): string {
  const found = places.flatMap((place) => tokensAt(place, request).map((token) => ({ token, place })));
  const [first] = found;
  if (first === undefined) throw missingToken('no token in any place of the rule');
  if (found.some(({ token }) => token !== first.token)) throw malformedRequest('two different tokens');
  // Browsers add cookies unprompted; all other places need a script that has the token.
  if (found.every(({ place }) => place.kind === 'cookie') && !comesFromOwnPage(request, allowedOrigins)) {
    throw new Refusal('forbidden', 'a token in a cookie, from a page of another origin', {
      detail: 'A token in a cookie counts only from pages of this origin and of allowed origins.',
    });
  }
  checkLength(first.token);
  return first.token;
}

/** Whether any of the places has a token. Throws as `presentedToken` does for a malformed one. */
export function holdsToken(places: readonly TokenPlace[], request: Presented): boolean {
  return places.some((place) => tokensAt(place, request).length > 0);
}

function tokensAt(place: TokenPlace, { read, target }: Presented): string[] {
  switch (place.kind) {
    case 'header':
      return read.authorization === undefined ? [] : [bearerToken(read.authorization)];
    case 'cookie':
      return cookies(read.cookie).flatMap(({ name, value }) => (name === place.name && value) || []);
    case 'protocol':
      return bearerProtocols(read.protocols).flatMap((one) => one.slice(BEARER_PROTOCOL.length) || []);
    case 'query':
      return parameters(queryOf(target)).flatMap(({ name, value }) =>
        name === place.name ? decoded(value) || [] : [],
      );
  }
}

/** Fetch Metadata where the browser sends it, else Origin, which comes with all but same-origin GET and HEAD. */
function comesFromOwnPage(request: Presented, allowed: ReadonlySet<string>): boolean {
  const { origin, fetchSite, upgrade } = request.read;
  if (origin !== undefined && allowed.has(origin)) return true;
  if (fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none') return false;
  if (origin !== undefined) return isOwnOrigin(origin, request);
  // RFC 6455 §10.2: the same-origin policy does not apply to WebSocket, so Origin is the only check.
  if (upgrade === 'websocket') return false;
  return fetchSite !== undefined || request.method === 'GET' || request.method === 'HEAD';
}

/** TLS may end in front of the gateway: unless https is known, the scheme is not compared. */
function isOwnOrigin(origin: string, { scheme, host }: Presented): boolean {
  const [, own, authority] = /^(https?):\/\/(.+)$/.exec(origin) ?? [];
  if (authority === undefined || (scheme === 'https' && own !== 'https')) return false;
  return withoutDefaultPort(authority) === withoutDefaultPort(host);
}

function withoutDefaultPort(authority: string): string {
  return authority.toLowerCase().replace(/:(?:80|443)$/, '');
}

/** The first offered subprotocol that carries a token, whole. */
export function bearerProtocol(protocols: string | undefined): string | undefined {
  return bearerProtocols(protocols)[0];
}

type IsLeftOut = (cookie: string) => boolean;

/** `headers` (names and values in turn) without the cookies whose names are left out. */
export function withoutCookies(headers: readonly string[], isLeftOut: IsLeftOut): string[] {
  return without(headers, isLeftOut, false);
}

/** `headers` (names and values in turn) without the tokens that are not forwarded; `keepsCookie`: the cookie is. */
export function withoutTokens(
  headers: readonly string[],
  places: readonly TokenPlace[],
  keepsCookie: boolean,
): string[] {
  const names = places.flatMap((place) => (place.kind === 'cookie' && !keepsCookie ? [place.name] : []));
  return without(
    headers,
    names.length === 0 ? undefined : (name) => names.includes(name),
    places.some(({ kind }) => kind === 'protocol'),
  );
}

/** `protocol`: leaves subprotocols that carry a token out, too. */
function without(headers: readonly string[], isLeftOut: IsLeftOut | undefined, protocol: boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    const left = whatStays(name.toLowerCase(), value, isLeftOut, protocol);
    if (left !== '' || value === '') kept.push(name, left);
  }
  return kept;
}

function whatStays(
  lower: string,
  value: string,
  isLeftOut: IsLeftOut | undefined,
  protocol: boolean,
): string {
  if (protocol && lower === 'sec-websocket-protocol') {
    return items(value, ',')
      .filter((item) => !item.startsWith(BEARER_PROTOCOL))
      .join(', ');
  }
  if (isLeftOut === undefined || lower !== 'cookie') return value;
  // Items and separators in turn: what is kept is written unchanged.
  const parts = value.split(COOKIE_SEPARATOR);
  let kept = '';
  for (let i = 0; i < parts.length; i += 2) {
    const item = (parts[i] ?? '').trim();
    if (item === '' || isLeftOut(nameOf(item))) continue;
    kept += kept === '' ? item : `${parts[i - 1] ?? ';'} ${item}`;
  }
  return kept;
}

/** `` or `?…`: URLs are logged on their way, so a token is never forwarded in one. */
export function withoutTokenParameters(query: string, places: readonly TokenPlace[]): string {
  const names = places.flatMap((place) => (place.kind === 'query' ? [place.name] : []));
  if (query === '' || names.length === 0) return query;
  const kept = parameters(query.slice(1)).filter(({ name }) => !names.includes(name));
  return kept.length === 0 ? '' : `?${kept.map(({ text }) => text).join('&')}`;
}

function bearerProtocols(protocols: string | undefined): string[] {
  return protocols === undefined
    ? []
    : items(protocols, ',').filter((item) => item.startsWith(BEARER_PROTOCOL));
}

/**
 * RFC 9113 §8.2.3: several lines are joined. Workers join them by a comma, which no value may hold (RFC 6265 §4.1.1):
 * before a name it separates as well, on every runtime.
 */
const COOKIE_SEPARATOR = /(;|,(?=\s*[\w!#$%&'*+.^`|~-]+=))/;

/**
 * RFC 6265bis §4.1.3: only this host sets these. Browsers let a comma stand within a value, so that behind one a sibling host could
 * write such a name.
 */
const PREFIXED = /^\s*__(?:host|secure)-/i;

/** RFC 6265 §4.2.1; a value may be quoted. */
function cookies(header: string | undefined): { name: string; value: string }[] {
  if (header === undefined) return [];
  const parts = header.split(COOKIE_SEPARATOR);
  return parts
    .flatMap(
      (part, at) => (at % 2 === 0 && !(parts[at - 1] === ',' && PREFIXED.test(part)) && part.trim()) || [],
    )
    .map((item) => ({
      name: nameOf(item),
      value: item
        .slice(nameOf(item).length + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1'),
    }));
}

function nameOf(item: string): string {
  return (item.split('=', 1)[0] ?? '').trimEnd();
}

function items(list: string, separator: string): string[] {
  return list.split(separator).flatMap((item) => item.trim() || []);
}

function queryOf(target: string): string {
  const mark = target.indexOf('?');
  return mark < 0 ? '' : target.slice(mark + 1);
}

/** Names are decoded before they are compared, as the upstream decodes them too. */
function parameters(query: string): { name: string; value: string; text: string }[] {
  return query.split('&').map((text) => {
    const name = text.split('=', 1)[0] ?? '';
    return { name: decoded(name) ?? name, value: text.slice(name.length + 1), text };
  });
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
