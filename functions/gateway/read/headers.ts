import { Refusal } from '../../../shared/errors.ts';

/** Names and values in turn, as received: `['Host', 'a', 'Accept', 'text/html']`. Duplicates and case are kept. */
export type HeaderList = readonly string[];

/** The fields the gateway reads, and those it may forward. */
export interface ReadHeaders {
  authorization: string | undefined;
  /** Several lines are joined, RFC 9113 §8.2.3. */
  cookie: string | undefined;
  /** RFC 6455 §11.3.4. */
  protocols: string | undefined;
  /** https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header */
  fetchSite: string | undefined;
  origin: string | undefined;
  host: string | undefined;
  requestId: string | undefined;
  traceparent: string | undefined;
  contentLength: number;
  chunked: boolean;
  upgrade: string | undefined;
  preflightMethod: string | undefined;
  preflightHeaders: string | undefined;
  tracestate: string | undefined;
  forwardedFor: string | undefined;
  forwardedProto: string | undefined;
  forwardedHost: string | undefined;
  forwardedMethod: string | undefined;
  forwardedUri: string | undefined;
  /** Forwardable fields in original case and order. Not Authorization: a rule decides on it. */
  onward: string[];
  /** The first reason to refuse; the other fields are still read, for the answer. */
  fault: Refusal | undefined;
}

/** For the fields of a request, and for its target. Both reach the upstream, whose own bound is rarely higher. */
export const MAX_HEAD_BYTES = 16_384;
/** Bytes of a field besides name and value: a colon, a space and CRLF. */
const FIELD_OVERHEAD = 4;

/** `read` ends here; `both` is read and forwarded. */
type Fate = 'pass' | 'read' | 'both' | 'drop';

interface Field {
  /** As the caller wrote it. */
  readonly name: string;
  readonly lower: string;
  readonly fate: Fate;
  /** Member that takes the value verbatim; of several lines the last counts. */
  readonly into: keyof typeof PLAIN | undefined;
}

/** Those that describe another request (X-Forwarded-*) count only when the peer is a trusted proxy. */
const PLAIN = {
  requestId: 'x-request-id',
  traceparent: 'traceparent',
  tracestate: 'tracestate',
  preflightMethod: 'access-control-request-method',
  preflightHeaders: 'access-control-request-headers',
  forwardedProto: 'x-forwarded-proto',
  forwardedHost: 'x-forwarded-host',
  forwardedMethod: 'x-forwarded-method',
  forwardedUri: 'x-forwarded-uri',
} as const satisfies Partial<Record<keyof ReadHeaders, string>>;

const PLAIN_FIELDS = Object.keys(PLAIN) as (keyof typeof PLAIN)[];

/**
 * Dropped: RFC 9110 §7.6.1 connection-specific fields, and those by which a client could make the upstream see another
 * method, path or address than the judged one.
 */
const NAMES: Readonly<Record<Fate, string>> = {
  read: `authorization host transfer-encoding connection upgrade x-request-id traceparent tracestate
    x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-method x-forwarded-uri`,
  both: `origin cookie sec-websocket-protocol sec-fetch-site content-length access-control-request-method
    access-control-request-headers`,
  drop: `keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer expect http2-settings forwarded
    x-real-ip x-client-ip x-cluster-client-ip true-client-ip cf-connecting-ip x-original-url x-original-uri
    x-original-method x-original-host x-host x-rewrite-url x-http-method x-http-method-override x-method-override`,
  pass: `user-agent accept accept-encoding accept-language content-type content-encoding referer cache-control pragma range
    if-none-match if-modified-since if-match priority sec-fetch-mode sec-fetch-dest sec-ch-ua sec-ch-ua-mobile`,
};

/** Keyed by both usual spellings: most names are found without lower-casing, and share one string each. */
const FIELDS = new Map<string, Field>();
for (const fate of ['read', 'both', 'drop', 'pass'] as const)
  for (const lower of NAMES[fate].split(/\s+/)) {
    const into = PLAIN_FIELDS.find((each) => PLAIN[each] === lower);
    const capitals = lower.replace(/(?<=^|-)[a-z]/g, (first) => first.toUpperCase());
    for (const name of [lower, capitals]) FIELDS.set(name, { name, lower, fate, into });
  }

/** For any other name or spelling. */
function fieldOf(name: string): Field {
  const lower = name.toLowerCase();
  const field = FIELDS.get(lower);
  if (field !== undefined) return { ...field, name };
  return { name, lower, fate: isOwned(lower) ? 'drop' : 'pass', into: undefined };
}

/** Families of fields that only the gateway may set. */
const OWNED = /^(?:x-user-|x-gateway-|x-forwarded-|x-envoy-)|^x-(?:user|gateway|forwarded)$/;

/** RFC 9110 §7.2, RFC 3986 §3.2.2: characters of a name or an address with its port. */
export const HOST = /^[\w.~!$&'()*+,;=%:[\]-]*$/;

const PLAIN_HOST = /^[a-z0-9.-]*[a-z](?::\d{1,4})?$/i;
/** The latest host that needed the URL parser: where it is an address, most callers send the same one. */
let parsedHost = '';

/** RFC 9112 §3.2: an invalid host is a 400, also `a:99999` and `%zz`, which the URL parser rejects. */
export function isHost(value: string): boolean {
  if (value === parsedHost || value === '' || PLAIN_HOST.test(value)) return true;
  if (!HOST.test(value) || !URL.canParse(`http://${value}`)) return false;
  parsedHost = value;
  return true;
}

/**
 * One pass over the fields of a request. `fault` is `invalid_request` for fields that two servers could read in two ways
 * (RFC 9112 §6.3: framing; two credentials), `headers_too_large` for more than 16 KiB of them.
 */
export function readHeaders(list: HeaderList): ReadHeaders {
  const read = emptyHeaders();
  let connection = '';
  let bytes = 0;
  for (let i = 0; i + 1 < list.length; i += 2) {
    const written = list[i] ?? '';
    const value = list[i + 1] ?? '';
    bytes += written.length + value.length + FIELD_OVERHEAD;
    const { name, lower, fate, into } = FIELDS.get(written) ?? fieldOf(written);
    if (into !== undefined) read[into] = value;
    else if (lower === 'connection') connection = connection === '' ? value : `${connection},${value}`;
    else if (fate === 'read' || fate === 'both') readField(read, lower, value);
    if (fate === 'pass' || fate === 'both') read.onward.push(name, value);
  }
  if (read.chunked && read.contentLength >= 0)
    read.fault ??= malformed('Content-Length beside Transfer-Encoding');
  if (bytes > MAX_HEAD_BYTES) read.fault = headTooLarge('The header fields have', bytes);
  if (connection !== '') dropNominated(read, connection);
  return read;
}

function emptyHeaders(): ReadHeaders {
  return {
    authorization: undefined,
    cookie: undefined,
    protocols: undefined,
    fetchSite: undefined,
    origin: undefined,
    host: undefined,
    requestId: undefined,
    traceparent: undefined,
    contentLength: -1,
    chunked: false,
    upgrade: undefined,
    preflightMethod: undefined,
    preflightHeaders: undefined,
    tracestate: undefined,
    forwardedFor: undefined,
    forwardedProto: undefined,
    forwardedHost: undefined,
    forwardedMethod: undefined,
    forwardedUri: undefined,
    onward: [],
    fault: undefined,
  };
}

function readField(read: ReadHeaders, lower: string, value: string): void {
  switch (lower) {
    case 'authorization':
      // RFC 9110 §5.3: not a list field; with two, gateway and upstream could use different ones.
      if (read.authorization !== undefined) read.fault ??= malformed('two Authorization headers');
      read.authorization = value;
      return;
    case 'content-length':
      if (read.contentLength >= 0 || !/^\d{1,15}$/.test(value))
        read.fault ??= malformed('malformed Content-Length');
      read.contentLength = Number(value);
      return;
    case 'transfer-encoding':
      if (read.chunked || value.trim().toLowerCase() !== 'chunked')
        read.fault ??= malformed('Transfer-Encoding other than chunked');
      read.chunked = true;
      return;
    case 'host':
      if (read.host !== undefined) read.fault ??= malformed('two Host headers');
      if (!isHost(value)) read.fault ??= malformed('malformed Host');
      read.host = value;
      return;
    case 'origin':
      read.fault ??= faultOfSingle('Origin', read.origin, value);
      read.origin = value;
      return;
    case 'cookie':
      read.cookie = read.cookie === undefined ? value : `${read.cookie};${value}`;
      return;
    case 'sec-websocket-protocol':
      read.protocols = read.protocols === undefined ? value : `${read.protocols},${value}`;
      return;
    case 'sec-fetch-site':
      read.fault ??= faultOfSingle('Sec-Fetch-Site', read.fetchSite, value);
      read.fetchSite = value;
      return;
    case 'upgrade':
      read.upgrade = value.toLowerCase();
      return;
    case 'x-forwarded-for':
      // Several lines are one list.
      read.forwardedFor = read.forwardedFor === undefined ? value : `${read.forwardedFor},${value}`;
  }
}

/** With two values, gateway and upstream could use different ones. Workers join lines by a comma, which neither field holds. */
function faultOfSingle(name: string, before: string | undefined, value: string): Refusal | undefined {
  return before !== undefined || value.includes(',') ? malformed(`two ${name} headers`) : undefined;
}

/** `X_User_ID` and `X.User.ID` are the same variable as `X-User-ID` to CGI-style upstreams. */
function isOwned(lower: string): boolean {
  const alias = lower.includes('_') || lower.includes('.') ? lower.replace(/[_.]/g, '-') : lower;
  if (alias !== lower && (FIELDS.get(alias)?.fate ?? 'pass') !== 'pass') return true;
  return alias.startsWith('x-') && OWNED.test(alias);
}

function dropNominated(read: ReadHeaders, connection: string): void {
  const lowered = connection.toLowerCase();
  if (lowered === 'keep-alive' || lowered === 'close') return;
  const nominated = new Set(lowered.split(',').map((name) => name.trim()));
  // Authorization and the identity headers are added later, so nominating them here removes nothing.
  const kept: string[] = [];
  for (let i = 0; i + 1 < read.onward.length; i += 2) {
    const name = read.onward[i] ?? '';
    const lower = name.toLowerCase();
    if (!nominated.has(lower) || lower === 'content-length') kept.push(name, read.onward[i + 1] ?? '');
  }
  read.onward = kept;
}

/** `what`: the part that is too large, with its verb. */
export function headTooLarge(what: string, bytes: number): Refusal {
  const detail = `${what} ${bytes} bytes; at most ${MAX_HEAD_BYTES} (16 KiB) are taken.`;
  return new Refusal('headers_too_large', detail, { detail });
}

export function malformed(reason: string): Refusal {
  return new Refusal('invalid_request', reason, { detail: reason });
}
